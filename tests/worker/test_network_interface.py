import socket
from pathlib import Path

import pytest

from liecbench.worker.network_interface import carried_bytes, interface_towards


def test_this_machine_is_reached_through_the_loopback() -> None:
    assert interface_towards("127.0.0.1") == "lo"


def test_an_address_without_a_route_is_an_error() -> None:
    with pytest.raises(OSError, match=r"."):
        interface_towards("not an address")


def test_the_counters_are_the_kernels() -> None:
    before = carried_bytes("lo")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        client.sendall(bytes(1000))
    after = carried_bytes("lo")
    (line,) = (text for text in Path("/proc/net/dev").read_text().splitlines() if text.strip().startswith("lo:"))
    received, sent = (int(line.split(":")[1].split()[column]) for column in (0, 8))

    assert before[0] + 1000 <= after[0] <= sent
    assert before[1] + 1000 <= after[1] <= received
