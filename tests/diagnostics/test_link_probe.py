"""The module is also the command that runs behind a link, as rank 0: see ``_explore``."""

import json
import os
import sys
from pathlib import Path

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from liecbench.diagnostics.link_probe import has_qdisc
from liecbench.launch.supervisor import EVENTS_VARIABLE, NAMESPACES_VARIABLE
from liecbench.network.emulation import WorkerLink
from liecbench.network.hub import INTERFACE, interface_index
from liecbench.network.link import Link
from tests.namespace_support import skip_without_namespaces
from tests.supervised import supervise


def _explore() -> None:
    link = WorkerLink(0, os.environ[NAMESPACES_VARIABLE].split(",")[0])
    link.shape(Link(up_bits_per_second=10**7, down_bits_per_second=10**7))
    with IPRoute() as route:
        interface = interface_index(route, INTERFACE)
        found = {
            "on_loopback": _takes_netem(route, 1),
            "netem": has_qdisc(route, interface, "netem", delay=1000),
        }
        if found["netem"]:
            route.tc("del", "netem", interface, parent="1:1", handle="10:")
        found["bucket"] = has_qdisc(route, interface, "tbf", rate=10**6, burst=4096, limit=10**6)
    Path(os.environ[EVENTS_VARIABLE]).write_text(json.dumps({"type": "seen", **found}) + "\n")


def _takes_netem(route: IPRoute, interface: int) -> bool:
    try:
        route.tc("add", "netem", interface, handle="1:", delay=1000)
    except NetlinkError:
        return False
    return True


def test_a_discipline_is_found_below_the_token_bucket_of_a_measured_link() -> None:
    skip_without_namespaces()
    with supervise([sys.executable, "-m", "tests.diagnostics.test_link_probe"], 1) as supervised:
        seen = supervised.next_event()

    # The loopback has no other discipline in the way. A token bucket stands for netem, which the kernel may lack.
    assert seen["netem"] == seen["on_loopback"]
    assert seen["bucket"]


if __name__ == "__main__":
    _explore()
