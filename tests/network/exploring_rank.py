"""Rank 0 behind two links: it explores them and prints what it found as one event, then waits for standard input's end.

Started by a supervisor with two links: see test_emulation.py.
"""

import json
import os
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from liecbench.launch.supervisor import EVENTS_VARIABLE, NAMESPACES_VARIABLE
from liecbench.network.addresses import HUB_ADDRESS
from liecbench.network.emulation import WorkerLink
from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap
from liecbench.network.measurement import MeasuredLink
from tests.namespaces import interfaces, listening_inodes, network_namespace, socket_inode

LINKS: Final[dict[str, str | dict[str, str]]] = {
    "5mbit": "5mbit",
    "20mbit": "20mbit",
    "100mbit": "100mbit",
    "narrow up": {"up": "10mbit", "down": "80mbit"},
    "narrow down": {"up": "80mbit", "down": "10mbit"},
}
DIRECTIONS: Final = ("up", "down")
MESSAGE_BYTES: Final = 2**16
STREAM_BYTES: Final = 2**20
# A full segment: 1448 bytes of payload in an Ethernet frame of 1514.
FRAME_PER_PAYLOAD: Final = 1514 / 1448
_MESSAGES: Final = 9
_STREAM_SECONDS: Final = 0.25
_MOST_SAMPLES: Final = 23


def _receive(connection: socket.socket, num_bytes: int) -> None:
    left, buffer = num_bytes, bytearray(2**16)
    while left > 0:
        count = connection.recv_into(buffer, min(left, len(buffer)))
        assert count, "the peer is there"
        left -= count


def _stream_seconds(sender: socket.socket, receiver: socket.socket, num_bytes: int) -> float:
    """Return the time of all but the first quarter, in which the full bucket empties."""
    thread = threading.Thread(target=sender.sendall, args=(bytes(num_bytes),))
    thread.start()
    _receive(receiver, num_bytes // 4)
    start = time.perf_counter()
    _receive(receiver, num_bytes - num_bytes // 4)
    seconds = time.perf_counter() - start
    thread.join()
    return seconds


def _stream_rate(sender: socket.socket, receiver: socket.socket, num_bytes: int) -> float:
    payload = num_bytes - num_bytes // 4
    return payload * FRAME_PER_PAYLOAD * 8 / _stream_seconds(sender, receiver, num_bytes)


def _best_rate(sender: socket.socket, receiver: socket.socket) -> float:
    return max(_stream_rate(sender, receiver, 2**25) for _ in range(3))


def _answer(connection: socket.socket, num_messages: int) -> None:
    for _ in range(num_messages):
        _receive(connection, MESSAGE_BYTES)
        connection.sendall(b"!")


def _message_seconds(sender: socket.socket, receiver: socket.socket) -> float:
    """Return the shortest time from sending 64 kB to the answer of one byte: a busy machine only adds to it."""
    thread = threading.Thread(target=_answer, args=(receiver, _MESSAGES))
    thread.start()
    seconds = _ask(sender)
    thread.join()
    return seconds


def _ask(sender: socket.socket) -> float:
    times = []
    for _ in range(_MESSAGES):
        time.sleep(0.01)  # the bucket fills up
        start = time.perf_counter()
        sender.sendall(bytes(MESSAGE_BYTES))
        _receive(sender, 1)
        times.append(time.perf_counter() - start)
    return min(times)


def _without_delay(connection: socket.socket) -> socket.socket:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _rates(link: WorkerLink, own: socket.socket, hub: socket.socket, asked: Link) -> dict[str, dict[str, float]]:
    """Return rates by the library's own measurement and by streams of this test."""
    measured = _medians(lambda: _rates_of(link.measure(asked)))
    link.shape(asked)
    up_bytes = int(asked.up_bits_per_second / 8 * _STREAM_SECONDS)
    down_bytes = int(asked.down_bits_per_second / 8 * _STREAM_SECONDS)
    return {
        "measured": measured,
        "streamed": _medians(lambda: (_stream_rate(own, hub, up_bytes), _stream_rate(hub, own, down_bytes))),
    }


def _rates_of(measured: MeasuredLink) -> tuple[float, float]:
    return measured.up_bits_per_second, measured.down_bits_per_second


def _medians(sample: Callable[[], tuple[float, ...]]) -> dict[str, float]:
    """Up and down: of three, or of more if the middle ones are far apart, because the machine is busy."""
    samples = [sample() for _ in range(3)]
    while len(samples) < _MOST_SAMPLES and any(map(_differ, zip(*samples, strict=True))):
        samples += [sample() for _ in range(4)]
    return dict(zip(DIRECTIONS, map(statistics.median, zip(*samples, strict=True)), strict=True))


def _differ(rates: tuple[float, ...]) -> bool:
    """Return whether the middle half of several rates differ by more than 5 %; of three, whether any do."""
    skipped = len(rates) // 4
    middle = sorted(rates)[skipped : len(rates) - skipped]
    return max(middle) > 1.05 * min(middle)


def _counted(link: WorkerLink, stream: Callable[[], float]) -> list[int]:
    """Return the bytes that the link counts as sent and as received while ``stream`` runs."""
    before = link.wire_bytes()
    stream()
    after = link.wire_bytes()
    return [now - earlier for now, earlier in zip(after, before, strict=True)]


def _place(listener: socket.socket | None = None) -> dict[str, Any]:
    routes = Path("/proc/self/net/ipv6_route")
    inode = socket_inode(listener) if listener else None
    return {
        "listener": inode,
        "sees_listener": inode in listening_inodes(),
        "interfaces": sorted(interfaces()),
        "namespace": network_namespace(),
        "tcp": {
            name: Path(f"/proc/sys/net/ipv4/tcp_{name}").read_text().strip()
            for name in ("congestion_control", "slow_start_after_idle")
        },
        "ipv6": [line.split()[-1] for line in routes.read_text().splitlines()] if routes.exists() else [],
    }


def _second_rank(namespace: str, report: int, listening: int) -> None:
    """Answer rank 0's messages as rank 1, shaped as rank 0 is."""
    link = WorkerLink(1, namespace)
    link.shape(LinkMap.parse("20mbit").of(0))
    own = socket.create_server(("0.0.0.0", 0))
    place = {**_place(own), "port": own.getsockname()[1]}
    os.write(report, json.dumps(place).encode() + b"\n")
    os.close(report)
    connection, _ = own.accept()
    with own, _without_delay(connection):
        _answer(connection, _MESSAGES)
        os.read(listening, 1)  # until rank 0 ends


def main() -> None:
    namespaces = os.environ[NAMESPACES_VARIABLE].split(",")
    with Path(os.environ[EVENTS_VARIABLE]).open("w") as events:
        listener = socket.create_server((HUB_ADDRESS, 0))
        hub_place = _place(listener)
        reading, writing = os.pipe()
        listening, holds = os.pipe()
        if os.fork() == 0:
            os.close(holds)
            _second_rank(namespaces[1], writing, listening)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as report:
            other = json.loads(report.readline())
        link = WorkerLink(0, namespaces[0])
        own = _without_delay(socket.create_connection(listener.getsockname()))
        hub = _without_delay(listener.accept()[0])
        facts: dict[str, Any] = {
            "hub": hub_place,
            "workers": [_place(), other],
            "uid_map": Path("/proc/self/uid_map").read_text().split(),
            "unshaped": _best_rate(own, hub),
        }
        facts["rates"] = {name: _rates(link, own, hub, LinkMap.parse(asked).of(0)) for name, asked in LINKS.items()}
        link.shape(LinkMap.parse("20mbit").of(0))
        facts["message_seconds"] = {"up": _message_seconds(own, hub), "down": _message_seconds(hub, own)}
        with _without_delay(socket.create_connection(("10.0.0.2", other["port"]))) as peer:
            facts["message_seconds"]["rank to rank"] = _ask(peer)
        facts["counted"] = {
            "up": _counted(link, lambda: _stream_seconds(own, hub, STREAM_BYTES)),
            "down": _counted(link, lambda: _stream_seconds(hub, own, STREAM_BYTES)),
        }
        link.unshape()
        link.unshape()  # a second call changes nothing
        facts["unshaped again"] = {"up": _best_rate(own, hub), "down": _best_rate(hub, own)}
        events.write(json.dumps({"type": "facts", **facts}) + "\n")
        events.flush()
        sys.stdin.read()  # until the test has looked at the machine


if __name__ == "__main__":
    main()
