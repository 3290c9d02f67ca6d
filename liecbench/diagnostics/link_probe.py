"""A process that shapes a link, measures it, and tests whether the kernel has netem and packet sockets.

``link_support.probe_link`` starts this module in new network namespaces. netem is the kernel module for delay, jitter
and loss. The delay line, which emulates these in user space, needs packet sockets (AF_PACKET).
"""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from liecbench.launch.supervisor import EVENTS_VARIABLE, NAMESPACES_VARIABLE
from liecbench.network.emulation import WorkerLink
from liecbench.network.hub import INTERFACE
from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap

_ASKED = Link(up_bits_per_second=2 * 10**7, down_bits_per_second=5 * 10**7)
_DELAYED = replace(_ASKED, delay_seconds=0.005)


def main() -> None:
    """Measure a shaped link, test what the kernel supports, and write a report to a pipe as one line of JSON.

    The path of the pipe is ``os.environ[EVENTS_VARIABLE]``. The documentation of ``link_support.probe_link``, which
    reads the pipe, lists the report's keys.
    """
    link = WorkerLink(0, os.environ[NAMESPACES_VARIABLE].split(",")[0])
    measured = link.measure(_ASKED).as_dict()
    report = {
        "type": "probe",
        "asked": _ASKED.spec(),
        "measured": measured,
        "delay_line": _try_delay_line(link),
        "netem": _has_netem(),
    }
    Path(os.environ[EVENTS_VARIABLE]).write_text(json.dumps(report) + "\n")


def _try_delay_line(link: WorkerLink) -> dict[str, float | str]:
    """Return the requested and the measured round trip of the delay line: ``asked_seconds`` and ``measured_seconds``.

    If the delay line cannot run, return a dict with only ``reason``, a text.
    """
    if reason := link.delay_line_refusal():
        return {"reason": reason}
    link.choose(LinkMap(default=_DELAYED), 1, "delay_line")
    measured = link.measure(_DELAYED).round_trip_seconds
    return {"asked_seconds": 2 * _DELAYED.delay_seconds, "measured_seconds": measured}


def _has_netem() -> bool:
    with IPRoute() as here:
        return has_qdisc(here, here.link_lookup(ifname=INTERFACE)[0], "netem", delay=1000)


def has_qdisc(route: IPRoute, interface: int, kind: str, **options: int) -> bool:
    """Add a queueing discipline to an interface; return True, or False if the kernel does not have the discipline.

    The discipline is added below the interface's token bucket, and is not removed.

    Args:
        route: A netlink socket in the namespace of the interface.
        interface: Index of an interface whose root is a token bucket with the handle ``1:``, as after
            ``WorkerLink.measure``.
        kind: Name of the discipline, such as ``netem``.
        options: Options of the discipline, such as ``delay=1000`` (microseconds).

    Raises:
        NetlinkError: If the kernel has the discipline, but refuses to add it.
    """
    try:
        route.tc("add", kind, interface, parent="1:1", handle="10:", **options)
    except NetlinkError as error:
        if error.code in (errno.ENOENT, errno.EOPNOTSUPP):
            return False
        raise
    return True


if __name__ == "__main__":
    main()
