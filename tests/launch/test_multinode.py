import dataclasses
import json
import socket
import struct
import subprocess
import threading
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from liecbench import __version__
from liecbench.errors import LiecbenchError, MachineError
from liecbench.launch import multinode
from liecbench.launch.multinode import Leader, Nodes, orders
from liecbench.launch.orders import NodeOrder
from liecbench.results.records import End, Epoch, Start
from tests.cli.in_process import run_in_process
from tests.machines import ON_TWO_MACHINES
from tests.namespace_support import skip_without_namespaces
from tests.process_tree import ROOT, Tree
from tests.recorded import records
from tests.test_link_runs import SCENARIO
from tests.waiting import wait_for

WORKERS: Final = 2
MATRIX: Final[dict[str, Any]] = {"algorithm": ["ddp", "liec"], "compressor": "sign", "workers": WORKERS, "link": "host"}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nodes") / "scenario.yaml"
    path.write_text(yaml.safe_dump({**SCENARIO, "matrix": MATRIX}))
    return path


@pytest.fixture(scope="module")
def run(scenario: Path) -> subprocess.CompletedProcess[str]:
    skip_without_namespaces()
    tree = Tree()
    try:
        return subprocess.run(
            [*ON_TWO_MACHINES, "run", str(scenario), str(scenario.parent / "results")],
            cwd=ROOT,
            env=tree.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
    finally:
        tree.end()


def test_two_machines_train_together(run: subprocess.CompletedProcess[str], scenario: Path) -> None:
    assert run.returncode == 0, run.stderr
    found = records(scenario.parent / "results-0")
    assert [record.status for record in found if isinstance(record, End)] == ["completed"] * 2
    assert "launch 1: 1 of 2 workers here" in run.stderr
    assert not (scenario.parent / "results-1" / "records.jsonl").exists()


def test_the_wire_between_them_carried_the_payload(run: subprocess.CompletedProcess[str], scenario: Path) -> None:
    assert run.returncode == 0, run.stderr
    for record in records(scenario.parent / "results-0"):
        if isinstance(record, Start):
            link = record.environment.link
            assert link is not None
            assert (link.enforcement, link.asked, link.measured) == ("none", "host", None)
        if isinstance(record, Epoch):
            assert record.wire_bytes is not None
            for way in ("sent", "received"):
                for payload, wire in zip(record.payload_bytes[way], record.wire_bytes[way], strict=True):
                    assert payload <= wire < 1.5 * payload + 20_000


def test_one_machine_trains_on_its_own_network_with_the_same_numbers(
    run: subprocess.CompletedProcess[str], scenario: Path, tmp_path: Path
) -> None:
    assert run.returncode == 0, run.stderr
    alone = run_in_process("run", str(scenario), "--out", str(tmp_path / "alone"))
    assert alone.returncode == 0, alone.stderr
    losses = [
        [record.train_loss for record in records(directory) if isinstance(record, Epoch)]
        for directory in (tmp_path / "alone", scenario.parent / "results-0")
    ]
    assert losses[0] == losses[1]


def test_no_checkpoint_stays_on_either(run: subprocess.CompletedProcess[str], scenario: Path) -> None:
    assert run.returncode == 0, run.stderr
    assert not [path for place in (0, 1) for path in (scenario.parent / f"results-{place}").rglob("*.pt")]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--nodes", "2"], "--nodes 2: the address of the first machine is missing"),
        (["--nodes", "2", "--master", "a", "--node-rank", "2"], "--node-rank 2: not one of 2 machines"),
        (["--nodes", "2", "--master", "a:port"], "--master a:port: not an address"),
        (["--nodes", "3", "--master", "a"], "2 workers do not divide among them"),
        (["--nodes", "2", "--master", "a", "--set", "matrix.link=20mbit"], "only link: host reaches other machines"),
        (["--nodes", "2", "--master", "192.0.2.1"], "--master 192.0.2.1:29400: Cannot assign requested address"),
    ],
)
def test_mistakes_are_named(scenario: Path, tmp_path: Path, options: list[str], reason: str) -> None:
    done = run_in_process("run", str(scenario), "--out", str(tmp_path / "results"), *options)

    assert (done.returncode, reason in done.stderr) == (2, True), done.stderr


def test_a_dry_run_of_any_machine_runs_nothing(scenario: Path, tmp_path: Path) -> None:
    place = ["--nodes", "2", "--node-rank", "1", "--master", "192.0.2.1"]
    done = run_in_process("run", str(scenario), "--out", str(tmp_path / "results"), *place, "--dry-run")

    assert done.returncode == 0, done.stderr
    assert "on the network of 2 machines" in done.stdout
    assert "--nnodes=2 --nproc-per-node=1" in done.stdout


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
