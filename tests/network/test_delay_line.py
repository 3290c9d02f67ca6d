"""The delay line between real namespaces. The module is also the command that runs behind it: see ``_explore``."""

import fcntl
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from liecbench.host.linux import enter_network_namespace
from liecbench.launch.supervisor import EVENTS_VARIABLE, NAMESPACES_VARIABLE
from liecbench.network.addresses import HUB_ADDRESS
from liecbench.network.delay_line import DelayLine
from liecbench.network.emulation import WorkerLink, round_trip_seconds
from liecbench.network.link_map import LinkMap
from tests.namespace_support import skip_without_namespaces
from tests.namespaces import interfaces
from tests.network.test_emulation import ordinary_user
from tests.supervised import Supervised, supervise
from tests.waiting import TIMEOUT_SECONDS

DELAY: Final = LinkMap.parse({"rate": "100mbit", "delay": "5ms"})
LOSSY: Final = LinkMap.parse({"rate": "100mbit", "delay": "1ms", "loss": "5%"})
WIDE: Final = LinkMap.parse({"rate": "1gbit", "delay": "20ms"})
SEND_MEMORY: Final = Path("/proc/sys/net/ipv4/tcp_wmem")
LOST_BYTES: Final = 2**17
NUM_SWITCHES: Final = 10
# A busy machine may let the delay line and the receiver wait for 80 ms: then fewer datagrams arrive than the ring of
# 256 frames and the receiver's socket hold.
SEND_SECONDS: Final = 400e-6
COMMAND: Final = [sys.executable, "-m", "tests.network.test_delay_line"]


# ---- behind the links


def _connect(address: tuple[str, int], listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    near = socket.create_connection(address)
    far, _ = listener.accept()
    for end in (near, far):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


def _round_trip(near: socket.socket, far: socket.socket) -> float:
    """Return the shortest of ten round trips: on a busy machine, each may wait for a core."""
    return min(round_trip_seconds(near, far) for _ in range(2))


def _transfer(near: socket.socket, far: socket.socket) -> bool:
    """Send bytes over a link that loses segments, and return whether all arrived as they were."""
    sent = bytes(i % 251 for i in range(LOST_BYTES))
    sender = threading.Thread(target=near.sendall, args=(sent,))
    sender.start()
    received = b""
    while len(received) < len(sent):
        received += far.recv(2**16)
    sender.join()
    return received == sent


def _switch_in_traffic(links: Sequence[WorkerLink], receiver: socket.socket, sender: socket.socket) -> list[int]:
    """Limit the links and lift the limits while numbered datagrams are sent; return the numbers that did not arrive."""
    stop, sent = threading.Event(), 0

    def send() -> None:
        nonlocal sent
        while not stop.is_set():
            sender.send(sent.to_bytes(4, "big"))
            sent += 1
            time.sleep(SEND_SECONDS)

    arrived: set[int] = set()

    def receive() -> None:
        receiver.settimeout(TIMEOUT_SECONDS)
        while data := receiver.recv(4):
            arrived.add(int.from_bytes(data, "big"))

    threads = [threading.Thread(target=work) for work in (send, receive)]
    for thread in threads:
        thread.start()
    for _ in range(NUM_SWITCHES):
        for change in ("shape", "unshape"):
            for link in links:
                getattr(link, change)(*([DELAY.of(0)] if change == "shape" else []))
            time.sleep(5e-3)
    stop.set()
    threads[0].join()
    sender.send(b"")  # after all other datagrams, because the order is kept
    threads[1].join()
    return sorted(set(range(sent)) - arrived)


def _window_of(link: WorkerLink, links: LinkMap) -> int | None:
    """Return the third number of ``tcp_wmem`` in this process's namespace, the link's; None if it cannot be changed."""
    link.choose(links, 2, "delay_line")
    link.shape(links.of(1))
    return int(SEND_MEMORY.read_text().split()[2]) if os.access(SEND_MEMORY, os.W_OK) else None


def _explore() -> None:
    """Measure two workers' links in one process: a socket stays in the namespace in which it was opened."""
    namespaces = os.environ[NAMESPACES_VARIABLE].split(",")
    hub = os.open("/proc/self/ns/net", os.O_RDONLY)
    links, listeners, datagrams = [], [], []
    for rank, namespace in enumerate(namespaces):
        enter_network_namespace(hub)
        links.append(WorkerLink(rank, namespace))
        listeners.append(socket.create_server(("0.0.0.0", 5000)))
        datagrams.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    datagrams[0].bind(("10.0.0.1", 5001))
    datagrams[1].connect(("10.0.0.1", 5001))
    near, far = _connect(("10.0.0.1", 5000), listeners[0])
    used = [link.choose(DELAY, len(links), "auto") for link in links]
    for link in links:
        link.shape(DELAY.of(0))
    facts: dict[str, Any] = {"emulators": used, "round_trip": _round_trip(near, far)}
    before = links[0].tally()
    for link in links:
        link.shape(LOSSY.of(0))
    facts["intact"] = _transfer(near, far)
    facts["tally"] = links[1].tally().since(before).as_dict()
    for link in links:
        link.unshape()
    facts["unshaped_round_trip"] = _round_trip(near, far)
    facts["missing"] = _switch_in_traffic(links, *datagrams)
    facts["windows"] = [_window_of(links[1], link) for link in (DELAY, WIDE, DELAY)]
    links[0].shape(DELAY.of(0))  # the launch is killed while frames are delayed
    near.sendall(b"!")
    with Path(os.environ[EVENTS_VARIABLE]).open("w") as events:
        events.write(json.dumps({"type": "facts", **facts}) + "\n")
    time.sleep(TIMEOUT_SECONDS)


def _delay_one_frame() -> None:
    """Hold a frame in the delay line until this process is killed: for ``scripts/kill_launches.py``."""
    link = WorkerLink(0, os.environ[NAMESPACES_VARIABLE].split(",")[0])
    link.choose(DELAY, 1, "delay_line")
    link.shape(LinkMap.parse({"rate": "1mbit", "delay": "10s"}).of(0))
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"!", (HUB_ADDRESS, 5000))
    with Path(os.environ[EVENTS_VARIABLE]).open("w") as events:
        events.write(json.dumps({"type": "delayed"}) + "\n")
    time.sleep(TIMEOUT_SECONDS)


def _ask_for_delay_line() -> None:
    link = WorkerLink(0, os.environ[NAMESPACES_VARIABLE].split(",")[0])
    facts = {"refusal": link.delay_line_refusal(), "auto": link.choose(LinkMap.parse("100mbit"), 1, "auto")}
    with Path(os.environ[EVENTS_VARIABLE]).open("w") as events:
        events.write(json.dumps({"type": "facts", **facts}) + "\n")


# ---- in front of them


@pytest.fixture(params=["this user", "ordinary user"])
def prefix(request: pytest.FixtureRequest) -> Sequence[str]:
    skip_without_namespaces()
    return ordinary_user(request.param)


def _kill(supervised: Supervised, victim: str) -> None:
    if victim == "supervisor":
        supervised.process.kill()
        return
    (pid,) = supervised.tree.named(victim)
    os.kill(pid, signal.SIGKILL)


def test_frames_are_delayed_and_lost_and_nothing_is_left_of_a_killed_launch(prefix: Sequence[str]) -> None:
    before, memory = interfaces(), SEND_MEMORY.read_text()
    for victim in ("supervisor", "liec-init", "liec-delay-line"):
        with supervise(COMMAND, num_links=2, prefix=prefix) as supervised:
            facts = supervised.next_event(TIMEOUT_SECONDS)
            held = supervised.tree.namespaces()
            _kill(supervised, victim)
            assert supervised.status() != 0
            supervised.tree.assert_gone(held)
        assert (interfaces(), SEND_MEMORY.read_text()) == (before, memory)

        assert facts["emulators"] == ["delay_line"] * 2
        # Four delays of 5 ms, of which the delay line sends at most 0.1 ms early.
        assert 0.0195 < facts["round_trip"] < 0.026
        assert facts["unshaped_round_trip"] < 0.005
        assert facts["intact"]
        # Of 91 segments, each link loses 5 %, up from worker 1 and down to worker 0.
        tally = facts["tally"]
        assert tally["lost_sent_segments"][1] + tally["lost_received_segments"][0] > 0
        assert tally["dropped_frames"] == 0
        assert tally["sent_frames"] > 0
        assert tally["late_seconds"] > 0
        assert tally["cpu_seconds"] > 0
        assert facts["missing"] == []
        # A round trip of 80 ms at 1 Gbit/s is 10 MB, which take twice their memory under way, and as much in the queue.
        usual = int(memory.split()[2])
        assert facts["windows"] in ([usual, max(usual, 40_000_000), usual], [None] * 3)


def test_ranks_that_were_killed_with_an_unread_answer_do_not_end_it_nor_do_descriptors_above_1023() -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2048:
        pytest.skip("the system allows no descriptor above 1023")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as low:
        listener = socket.socket(fileno=fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 1500))
    listener.bind("\0liecbench-test-" + uuid.uuid4().hex)
    listener.listen()
    child = os.fork()
    if not child:
        try:
            DelayLine(listener, 0, ["first", "second", "hub"]).run()
        finally:
            os._exit(1)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as killed:
            _ask_for_tally(killed, listener)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as alive:
            _ask_for_tally(alive, listener)
            answer = json.loads(alive.recv(2**12))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        listener.close()

    assert answer["tally"]["lost_sent_segments"] == [0, 0]
    assert answer["tally"]["dropped_frames"] == 0


def _ask_for_tally(rank: socket.socket, listener: socket.socket) -> None:
    """Ask, and wait until the answer is there, without reading it."""
    rank.settimeout(TIMEOUT_SECONDS)
    rank.connect(listener.getsockname())
    rank.send(b'{"rank": 0, "tally": true}')
    assert select.select([rank], [], [], TIMEOUT_SECONDS)[0]


def test_without_packet_sockets_the_reason_is_told_and_the_kernel_limits_rates() -> None:
    skip_without_namespaces()
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can give up the right to packet sockets")
    prefix = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"]
    with supervise([*COMMAND, "refused"], num_links=1, prefix=prefix) as supervised:
        facts = supervised.next_event()

    assert facts["refusal"] == "the delay line cannot start: Operation not permitted"
    assert facts["auto"] == "tbf"


if __name__ == "__main__":
    {"refused": _ask_for_delay_line, "delayed": _delay_one_frame}.get("".join(sys.argv[1:]), _explore)()
