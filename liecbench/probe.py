"""What ``doctor`` runs behind a link of its own: shape it, measure it, see which shapers the kernel has."""

import json
import os
from pathlib import Path

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from liecbench.link import Link
from liecbench.network import INTERFACE, WorkerLink
from liecbench.supervisor import EVENTS_VARIABLE, NAMESPACES_VARIABLE

_LINK = Link.parse({"up": "20mbit", "down": "50mbit"})


def main() -> None:
    """Report one line of JSON to the events of the supervisor."""
    link = WorkerLink(0, os.environ[NAMESPACES_VARIABLE].split(",")[0])
    link.shape(_LINK)
    rates = link.measure(_LINK)
    link.lift()
    report = {"type": "probe", "asked": _LINK.spec(), "measured": rates, "netem": _has_netem()}
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
