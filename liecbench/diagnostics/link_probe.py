"""A process that shapes a link, measures the link's rates, and tests whether the kernel has netem.

``link_support.probe_link`` starts this module as the only worker of a launch's supervisor, in its own network
namespaces. netem is the kernel module for delay, jitter and loss.
"""

import json
import os
from pathlib import Path

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from liecbench.launch.supervisor import EVENTS_VARIABLE, NAMESPACES_VARIABLE
from liecbench.network.emulation import INTERFACE, WorkerLink
from liecbench.network.link import Link

_ASKED = Link(up_bits_per_second=2 * 10**7, down_bits_per_second=5 * 10**7)


def main() -> None:
    """Probe the link, and write a report as a line of JSON to the pipe at ``os.environ[EVENTS_VARIABLE]``."""
    link = WorkerLink(0, os.environ[NAMESPACES_VARIABLE].split(",")[0])
    measured = link.measure(_ASKED).as_dict()
    report = {"type": "probe", "asked": _ASKED.spec(), "measured": measured, "netem": _has_netem()}
    Path(os.environ[EVENTS_VARIABLE]).write_text(json.dumps(report) + "\n")


def _has_netem() -> bool:
    with IPRoute() as here:
        try:
            here.tc("add", "netem", here.link_lookup(ifname=INTERFACE)[0], handle="1:", delay=1000)
        except NetlinkError:
            return False
    return True


if __name__ == "__main__":
    main()
