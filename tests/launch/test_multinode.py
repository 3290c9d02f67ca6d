import dataclasses
import json
import socket
import struct
import threading

import pytest

from liecbench import __version__
from liecbench.errors import LiecbenchError, MachineError
from liecbench.launch import multinode
from liecbench.launch.multinode import Leader, Nodes, orders
from liecbench.launch.orders import NodeOrder
from tests.waiting import wait_for


@pytest.fixture
def nodes() -> Nodes:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return Nodes(count=2, rank=0, address="127.0.0.1", port=free.getsockname()[1])


def order(workers: int) -> NodeOrder:
    return NodeOrder(workers=workers, threads=1, backend="gloo", device="cpu")


def follow(nodes: Nodes, heard: list[NodeOrder]) -> threading.Thread:
    thread = threading.Thread(target=lambda: heard.extend(orders(dataclasses.replace(nodes, rank=1))))
    thread.start()
    return thread


def connect(nodes: Nodes) -> socket.socket:
    def connected() -> socket.socket | None:
        try:
            return socket.create_connection((nodes.address, nodes.port))
        except OSError:
            return None

    found = wait_for(connected, "the leader listens")
    assert found is not None
    return found


def test_orders_reach_the_other_machines_and_no_other_client(nodes: Nodes) -> None:
    heard: list[NodeOrder] = []
    strangers: list[bytes] = []

    def stray() -> None:
        with connect(nodes) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            strangers.append(stranger.recv(1))
        follow(nodes, heard).join()

    thread = threading.Thread(target=stray)
    thread.start()
    with Leader(nodes) as leader:
        leader.send(order(4))
        leader.send(order(2))
    thread.join()

    assert (strangers, heard) == ([b""], [order(4), order(2)])


def test_a_machine_that_is_gone_is_named(nodes: Nodes) -> None:
    def leave() -> None:
        with connect(nodes) as other:
            other.sendall(json.dumps({"liecbench": __version__, "nodes": 2, "node_rank": 1}).encode() + b"\n")

    thread = threading.Thread(target=leave)
    thread.start()
    with Leader(nodes) as leader:
        thread.join()
        with pytest.raises(MachineError, match="machine 1 is gone"):
            leader.send(order(4))


@pytest.mark.parametrize(
    ("version", "count", "reason"),
    [
        ("0.0.1", 2, f"it has liecbench 0.0.1, and the first machine has liecbench {__version__}"),
        (__version__, 3, "it has --nodes 3, and the first machine has --nodes 2"),
    ],
)
def test_a_machine_that_cannot_take_part_is_told_why(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, version: str, count: int, reason: str
) -> None:
    answers: list[dict[str, str]] = []

    def call() -> None:
        greeting = {"liecbench": version, "nodes": count, "node_rank": 1}
        with connect(nodes) as other:
            other.sendall(json.dumps(greeting).encode() + b"\n")
            answers.append(json.loads(other.makefile().read()))

    monkeypatch.setattr(multinode, "_JOIN_SECONDS", 1.0)
    thread = threading.Thread(target=call)
    thread.start()
    with (
        pytest.raises(MachineError, match=f"1 of 2 machines came within 1 s; one was refused: {reason}"),
        Leader(nodes),
    ):
        pass
    thread.join()

    assert answers == [{"type": "node_refused", "reason": reason}]


def test_of_two_machines_with_one_number_the_first_is_refused(nodes: Nodes) -> None:
    three = dataclasses.replace(nodes, count=3)
    errors: list[str] = []

    def join(rank: int) -> None:
        try:
            list(orders(dataclasses.replace(three, rank=rank)))
        except MachineError as error:
            errors.append(str(error))

    def join_all() -> None:
        first = threading.Thread(target=join, args=(1,))
        first.start()
        wait_for(lambda: leader._others, "the first machine has joined")
        second = threading.Thread(target=join, args=(1,))
        second.start()
        first.join()
        join(2)
        second.join()

    thread = threading.Thread(target=join_all)
    leader = Leader(three)
    thread.start()
    with leader:
        pass
    thread.join()

    place = f"--master {nodes.address}:{nodes.port}"
    assert errors == [
        f"{place}: the first machine refuses this one: another machine with --node-rank 1 came later; "
        "run the same command of the same liecbench, each its --node-rank"
    ]


def test_a_first_machine_that_is_gone_is_an_error_and_silent_ones_are_probed(nodes: Nodes) -> None:
    def listen_and_reset() -> None:
        with socket.create_server((nodes.address, nodes.port)) as listener:
            other, _ = listener.accept()
            other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            other.recv(1)
            other.close()

    thread = threading.Thread(target=listen_and_reset)
    thread.start()
    with pytest.raises(MachineError, match="the first machine is gone; run the same command on all again"):
        list(orders(dataclasses.replace(nodes, rank=1)))
    thread.join()

    follower = follow(nodes, [])
    with Leader(nodes) as leader:
        assert leader._others[1].getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert leader._others[1].getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    follower.join()


def test_the_port_has_a_default() -> None:
    assert Nodes.parse(2, 1, "node0") == Nodes(count=2, rank=1, address="node0", port=29400)
    assert Nodes.parse(2, 1, "node0:5000").port == 5000
    with pytest.raises(LiecbenchError, match="not an address"):
        Nodes.parse(2, 0, "node0:65535")
    with pytest.raises(LiecbenchError, match="not an address"):
        Nodes.parse(2, 0, "node0:²")
