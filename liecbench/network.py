"""The network of a launch: a namespace and a veth for every worker, joined by a bridge, shaped in both directions.

``build`` runs in a fresh network namespace, the hub, and returns descriptors: whoever holds them holds the namespaces,
and with the last holder they vanish. Each worker then takes its place with ``WorkerLink``, which owns both shapers:
the one on its own interface (up) and the one on the hub's end of its veth (down). It needs no helper in the hub: a
socket belongs to the namespace in which it was opened.
"""

import contextlib
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any, Final

from pyroute2 import IPRoute

from liecbench.link import Link
from liecbench.supervisor import HUB_ADDRESS
from liecbench.syscalls import CLONE_NEWNET, enter_network_namespace, unshare

INTERFACE: Final = "eth0"
_PREFIX: Final = 16
_ROOT_QDISC: Final = 0xFFFF_FFFF
# Four kilobytes hold messages of 64 kB to the rate within 6 %. Above 65 Mbit/s it is half a millisecond of the rate:
# with half of that a link of 1 Gbit/s carried 8 % less.
_SMALLEST_BURST_BYTES: Final = 4096
_BURST_SECONDS: Final = 0.0005
# Deep enough for every rank to send to one at once: a link that drops would measure TCP, not the method.
_QUEUE_BYTES: Final = 64 * 2**20
_MEASURE_SECONDS: Final = 0.2
_MEASURE_BYTES: Final = (64 * 2**10, 32 * 2**20)


def _worker_address(rank: int) -> str:
    return f"10.0.{rank // 250}.{rank % 250 + 1}"


def _own_namespace() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _index(route: IPRoute, name: str) -> int:
    return int(route.link_lookup(ifname=name)[0])


# Neighbour discovery would stand in the byte counters. BBR, the default of some machines, keeps for seconds the rate
# that a flow had while it met another in the shaper: exchanges took up to 1.7 times as long as with Reno, which every
# kernel has and allows. Steps must not depend on that default, nor on how long the computation between them took.
_SETTINGS: Final = {
    "ipv6/conf/default/disable_ipv6": "1",
    "ipv4/tcp_congestion_control": "reno",
    "ipv4/tcp_slow_start_after_idle": "0",
}


def _settle() -> None:
    for name, value in _SETTINGS.items():
        with contextlib.suppress(OSError):  # /proc/sys is read-only in some containers
            Path("/proc/sys/net", name).write_text(value)


def build(num_workers: int) -> list[int]:
    """Turn the current network namespace into the hub of ``num_workers`` namespaces; their descriptors, by rank.

    OSError or a pyroute2 error where the kernel refuses.
    """
    with IPRoute() as hub:
        hub.link("set", index=1, state="up")
        if num_workers == 0:
            return []
        _settle()
        hub.link("add", ifname="hub", kind="bridge")
        bridge = _index(hub, "hub")
        hub.addr("add", index=bridge, address=HUB_ADDRESS, prefixlen=_PREFIX)
        hub.link("set", index=bridge, state="up")
        here = _own_namespace()
        namespaces = [_add_worker(hub, bridge, here, rank) for rank in range(num_workers)]
        os.close(here)
    return namespaces


def _add_worker(hub: IPRoute, bridge: int, here: int, rank: int) -> int:
    unshare(CLONE_NEWNET)
    try:
        namespace = _own_namespace()
        _settle()
        worker = IPRoute()
    finally:
        enter_network_namespace(here)
    with worker:
        hub.link("add", ifname=f"port{rank}", kind="veth", peer={"ifname": INTERFACE, "net_ns_fd": namespace})
        hub.link("set", index=_index(hub, f"port{rank}"), master=bridge, state="up")
        own = _index(worker, INTERFACE)
        worker.addr("add", index=own, address=_worker_address(rank), prefixlen=_PREFIX)
        worker.link("set", index=1, state="up")
        worker.link("set", index=own, state="up")
    return namespace


class _Shaper:
    """One direction: a token bucket on one interface."""

    def __init__(self, route: IPRoute, name: str) -> None:
        self._route, self._interface = route, _index(route, name)
        self._shaped = False

    def set(self, bits_per_second: int | None) -> None:
        if bits_per_second is None:
            if self._shaped:
                self._route.tc("del", index=self._interface, parent=_ROOT_QDISC)
            self._shaped = False
            return
        rate = bits_per_second // 8
        burst = max(_SMALLEST_BURST_BYTES, int(rate * _BURST_SECONDS))
        self._route.tc("replace", "tbf", self._interface, handle="1:", rate=rate, burst=burst, limit=_QUEUE_BYTES)
        self._shaped = True

    def passed_bytes(self) -> int:
        """Bytes of whole Ethernet frames since it was set.

        The interface would count an offloaded packet of up to 64 kB with a single header, the shaper has all of them.
        """
        (shaper,) = (q for q in self._route.get_qdiscs(self._interface) if q.get_attr("TCA_KIND") == "tbf")
        return int(shaper.get_attr("TCA_STATS2").get_attr("TCA_STATS_BASIC")["bytes"])


class WorkerLink:
    """A rank's end of the network; made in the hub, before any thread starts, it moves the process to its namespace."""

    def __init__(self, rank: int, namespace: str) -> None:
        hub = IPRoute()
        self._listener = socket.create_server((HUB_ADDRESS, 0))
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        enter_network_namespace(descriptor)
        os.close(descriptor)
        self._up, self._down = _Shaper(IPRoute(), INTERFACE), _Shaper(hub, f"port{rank}")

    def shape(self, link: Link) -> None:
        """Hold both directions to the link's rates."""
        self._up.set(link.up_bits_per_second)
        self._down.set(link.down_bits_per_second)

    def lift(self) -> None:
        """Take both shapers away."""
        self._up.set(None)
        self._down.set(None)

    def wire_bytes(self) -> tuple[int, int]:
        """Bytes sent and received since ``shape``, headers included, by the shapers' counters."""
        return self._up.passed_bytes(), self._down.passed_bytes()

    def measure(self, link: Link) -> dict[str, float]:
        """Achieved rate in each direction, in bits per second of Ethernet frames, against the unshaped hub."""
        assert link.up_bits_per_second is not None, "the link has rates"
        assert link.down_bits_per_second is not None, "the link has rates"
        with socket.create_connection(self._listener.getsockname()) as own:
            hub, _ = self._listener.accept()
            with hub:
                return {
                    "up_bits_per_second": _stream_rate(own, hub, link.up_bits_per_second, self._up),
                    "down_bits_per_second": _stream_rate(hub, own, link.down_bits_per_second, self._down),
                }


def _stream_rate(sender: socket.socket, receiver: socket.socket, asked: int, shaper: _Shaper) -> float:
    least, most = _MEASURE_BYTES
    total = min(max(int(asked / 8 * _MEASURE_SECONDS), least), most)
    # The bucket starts full: what it lets through at once is left out of the time.
    skipped = min(total // 4, 4 * max(_SMALLEST_BURST_BYTES, int(asked / 8 * _BURST_SECONDS)))
    before = shaper.passed_bytes()
    thread = threading.Thread(target=sender.sendall, args=(bytes(total),))
    thread.start()
    buffer, received, counted_from, started = bytearray(2**16), 0, 0, 0.0
    while received < total:
        received += receiver.recv_into(buffer)
        if counted_from == 0 and received >= skipped:
            counted_from, started = received, time.perf_counter()
    seconds = time.perf_counter() - started
    thread.join()
    frames_per_payload = (shaper.passed_bytes() - before) / total
    return round((received - counted_from) * frames_per_payload * 8 / seconds)


def refusal_reason(error: BaseException) -> str:
    """What the kernel said, for people."""
    number: Any = getattr(error, "code", None) or getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) else str(error)
