"""Neighbours of many workers. The module is also the command that runs in the hub: it lets all hosts meet."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from liecbench.host.linux import enter_network_namespace
from liecbench.launch.supervisor import EVENTS_VARIABLE, NAMESPACES_VARIABLE
from liecbench.network.addresses import HUB_ADDRESS
from liecbench.network.neighbours import add_neighbours
from tests.namespace_support import skip_without_namespaces
from tests.network.test_emulation import WITHOUT_PRIVILEGES
from tests.supervised import supervise

_ARP = 0x0806


def _meet() -> None:
    """Send from every host to every other one; report the ARP frames, the neighbours and the datagrams that arrived."""
    arp = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ARP))
    namespaces = [os.open(path, os.O_RDONLY) for path in os.environ[NAMESPACES_VARIABLE].split(",")]
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    sockets = [_listening(HUB_ADDRESS)]
    for rank, namespace in enumerate(namespaces):
        enter_network_namespace(namespace)
        sockets.append(_listening(f"10.0.0.{rank + 1}"))
    rows = Path("/proc/thread-self/net/arp").read_text().splitlines()[1:]  # of the last worker
    states = {row.split()[2] for row in rows}
    enter_network_namespace(here)
    addresses = [each.getsockname() for each in sockets]
    for sender in sockets:
        for address in addresses:
            sender.sendto(b"?", address)
    arrived = [sum(1 for _ in _received(each)) for each in sockets]
    found = {"arp": len(list(_received(arp))), "neighbours": len(rows), "states": sorted(states), "arrived": arrived}
    Path(os.environ[EVENTS_VARIABLE]).write_text(json.dumps(found) + "\n")


def _listening(address: str) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind((address, 0))
    return listening


def _received(listening: socket.socket) -> Iterator[bytes]:
    listening.settimeout(0.2)
    try:
        while True:
            yield listening.recv(2**12)
            listening.setblocking(False)
    except (TimeoutError, BlockingIOError):
        return


@pytest.mark.parametrize("num_workers", [2, 64])
def test_all_hosts_know_each_other_without_asking(num_workers: int) -> None:
    skip_without_namespaces()
    with supervise([sys.executable, "-m", "tests.network.test_neighbours"], num_workers) as supervised:
        found = supervised.next_event()

    assert found == {
        "arp": 0,
        "neighbours": num_workers,
        "states": ["0x6"],  # ATF_COM | ATF_PERM of linux/if_arp.h: complete and permanent
        "arrived": [num_workers + 1] * (num_workers + 1),
    }


def test_a_missing_interface_is_an_oserror() -> None:
    with pytest.raises(OSError, match="no interface"):
        add_neighbours("no-such-one", [])


def test_what_the_kernel_refuses_is_an_oserror() -> None:
    module, neighbour = add_neighbours.__module__, ("10.0.0.1", "02:00:00:00:00:01")
    code = f"from {module} import add_neighbours; add_neighbours('lo', [{neighbour}])"
    command = [*([] if os.getuid() else WITHOUT_PRIVILEGES), sys.executable, "-c", code]
    if shutil.which(command[0]) is None:
        pytest.skip("setpriv (util-linux) is not installed: it takes root's privileges away for this test")
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.stderr.endswith("PermissionError: [Errno 1] Operation not permitted\n")


if __name__ == "__main__":
    _meet()
