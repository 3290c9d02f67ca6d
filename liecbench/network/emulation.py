"""Emulate slow links: give every worker of a launch its own network namespace, and shape its traffic with the kernel.

A pair of virtual Ethernet interfaces (veth) connects each worker's namespace to a bridge in one more namespace, the
hub. ``build`` runs in the hub and returns a file descriptor for each worker's namespace, because an open descriptor
keeps a namespace alive. Each rank then creates a ``WorkerLink``, which moves the rank into its namespace and controls
two shapers. One shaper is on the rank's own interface and limits the rank's outgoing traffic (up). The other is on the
hub's end of the rank's veth and limits the rank's incoming traffic (down). The rank controls the hub's end through a
netlink socket that it opens before it leaves the hub, because a socket stays in the namespace in which it was opened.
"""

import contextlib
import dataclasses
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any, Final, Literal

from pyroute2 import IPRoute

from liecbench.host.linux import CLONE_NEWNET, enter_network_namespace, unshare
from liecbench.network.addresses import HUB_ADDRESS
from liecbench.network.link import Link, burst_bytes
from liecbench.network.measurement import MeasuredLink

INTERFACE: Final = "eth0"
_PREFIX: Final = 16
# Half of the token bucket's burst at 1 Gbit/s. Packets of 64 kB would exceed the bucket, so that the shaper would have
# to split every one of them.
_LARGEST_PACKET_BYTES: Final = 32_000
# The token bucket of a direction that is not shaped. Its rate is the highest that a scenario can ask for.
_UNSHAPED_BITS_PER_SECOND, _UNSHAPED_BURST_BYTES = 32 * 10**9, 2**24
# Long enough for all ranks to send to one rank at once. If the queue dropped packets, TCP's retransmissions would
# dominate the measured times.
_QUEUE_BYTES: Final = 64 * 2**20
_FRAME_BYTES: Final = 1514
_MEASURE_SECONDS: Final = 0.2
# The fewest and the most bytes to send per direction when a link is measured. The fewest take a third of a second at 1
# Mbit/s.
_MEASURE_BYTES: Final = (40 * 2**10, 32 * 2**20)
_ROUND_TRIPS, _ROUND_TRIP_SECONDS = 5, 0.1


def _worker_address(rank: int) -> str:
    return f"10.0.{rank // 250}.{rank % 250 + 1}"


def _own_namespace() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _index(route: IPRoute, name: str) -> int:
    return int(route.link_lookup(ifname=name)[0])


# No IPv6, because its neighbour discovery would add to the byte counters.
# TCP Reno, which every kernel has and allows, because the machine's default may be BBR. A flow under BBR that shared a
# shaper with another flow keeps its low rate for seconds, and exchanges took 1.1 to 1.8 times as long as with Reno.
# No slow start after idle, because the time of a step must not depend on how long the computation before it took.
_SETTINGS: Final = {
    "ipv6/conf/default/disable_ipv6": "1",
    "ipv4/tcp_congestion_control": "reno",
    "ipv4/tcp_slow_start_after_idle": "0",
}


def _apply_settings() -> None:
    for name, value in _SETTINGS.items():
        with contextlib.suppress(OSError):  # /proc/sys is read-only in some containers
            Path("/proc/sys/net", name).write_text(value)


def build(num_workers: int) -> list[int]:
    """Turn the current network namespace into the hub, and connect ``num_workers`` new namespaces to its bridge.

    Returns:
        A file descriptor of each worker's namespace, by rank.

    Raises:
        OSError: If the kernel refuses a namespace or an interface. pyroute2 may raise errors of its own instead.
    """
    with IPRoute() as hub:
        hub.link("set", index=1, state="up")
        if num_workers == 0:
            return []
        _apply_settings()
        hub.link("add", ifname="hub", kind="bridge")
        bridge = _index(hub, "hub")
        hub.addr("add", index=bridge, address=HUB_ADDRESS, prefixlen=_PREFIX)
        hub.link("set", index=bridge, state="up", gso_max_size=_LARGEST_PACKET_BYTES)
        here = _own_namespace()
        namespaces = [_add_worker(hub, bridge, here, rank) for rank in range(num_workers)]
        os.close(here)
    return namespaces


def _add_worker(hub: IPRoute, bridge: int, here: int, rank: int) -> int:
    unshare(CLONE_NEWNET)
    try:
        namespace = _own_namespace()
        _apply_settings()
        worker = IPRoute()
    finally:
        enter_network_namespace(here)
    with worker:
        hub.link("add", ifname=f"port{rank}", kind="veth", peer={"ifname": INTERFACE, "net_ns_fd": namespace})
        hub.link("set", index=_index(hub, f"port{rank}"), master=bridge, state="up")
        own = _index(worker, INTERFACE)
        worker.addr("add", index=own, address=_worker_address(rank), prefixlen=_PREFIX)
        worker.link("set", index=1, state="up")
        worker.link("set", index=own, state="up", gso_max_size=_LARGEST_PACKET_BYTES)
    return namespace


class _Shaper:
    """One direction of a link: a token bucket on one interface, followed by netem if the link has delay or loss.

    The token bucket is changed in place and never removed, because its removal would drop the last packets of a
    barrier. TCP Reno's window would then start over and grow by one segment per round trip, so that the first
    all-reduces at 1 Gbit/s would take 1.7 times as long.
    """

    def __init__(self, route: IPRoute, name: str) -> None:
        self._route, self._interface = route, _index(route, name)
        self._has_bucket = self._has_netem = False

    def unshape(self) -> None:
        """Remove the rate limit, and set delay, jitter and loss to 0."""
        if self._has_bucket:
            self._set_bucket(_UNSHAPED_BITS_PER_SECOND, _UNSHAPED_BURST_BYTES)
        if self._has_netem:
            self._set_netem(delay_seconds=0.0, jitter_seconds=0.0, loss=0.0)

    def shape(self, bits_per_second: int, link: Link) -> None:
        """Limit this direction to ``bits_per_second``, and give it the delay, jitter and loss of ``link``."""
        self._set_bucket(bits_per_second, burst_bytes(bits_per_second))
        if link.needs_netem or self._has_netem:
            self._set_netem(link.delay_seconds, link.jitter_seconds, link.loss)

    def _set_bucket(self, bits_per_second: int, burst: int) -> None:
        self._route.tc(
            "change" if self._has_bucket else "add",
            "tbf",
            self._interface,
            handle="1:",
            rate=bits_per_second // 8,
            burst=burst,
            limit=_QUEUE_BYTES,
        )
        self._has_bucket = True

    def _set_netem(self, delay_seconds: float, jitter_seconds: float, loss: float) -> None:
        self._route.tc(
            "change" if self._has_netem else "add",
            "netem",
            self._interface,
            parent="1:1",
            handle="10:",
            delay=round(delay_seconds * 1e6),
            jitter=round(jitter_seconds * 1e6),
            loss=100 * loss,
            limit=_QUEUE_BYTES // _FRAME_BYTES,
        )
        self._has_netem = True

    def passed_bytes(self) -> int:
        """Return the bytes of Ethernet frames, headers included, that passed since the first ``shape``.

        The count is the shaper's, because the interface's own counter includes only one header per offloaded packet of
        up to 64 kB.
        """
        (shaper,) = (q for q in self._route.get_qdiscs(self._interface) if q.get_attr("TCA_KIND") == "tbf")
        return int(shaper.get_attr("TCA_STATS2").get_attr("TCA_STATS_BASIC")["bytes"])


class WorkerLink:
    """One rank's link to the hub, the network namespace whose bridge joins all ranks.

    Create the object in the hub, before the process starts any thread, because the constructor moves the process into
    the rank's own namespace.

    Args:
        rank: The rank.
        namespace: Path of a file that refers to the rank's namespace, such as ``/proc/PID/fd/N``.
    """

    name: Literal["kernel"] = "kernel"
    pacer = None

    def __init__(self, rank: int, namespace: str) -> None:
        hub = IPRoute()
        self._listener = socket.create_server((HUB_ADDRESS, 0))
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        enter_network_namespace(descriptor)
        os.close(descriptor)
        self._up, self._down = _Shaper(IPRoute(), INTERFACE), _Shaper(hub, f"port{rank}")

    def shape(self, link: Link) -> None:
        """Limit both directions to ``link``. Raises one of pyroute2's errors if the kernel cannot."""
        self._up.shape(link.up_bits_per_second, link)
        self._down.shape(link.down_bits_per_second, link)

    def unshape(self) -> None:
        """Remove the limits of both directions."""
        self._up.unshape()
        self._down.unshape()

    def wire_bytes(self) -> tuple[int, int]:
        """Return this rank's bytes (sent, received) since the first ``shape``, with the headers of Ethernet frames."""
        return self._up.passed_bytes(), self._down.passed_bytes()

    def measure(self, link: Link) -> MeasuredLink:
        """Shape ``link``, measure its rates and its round trip, and remove the limits again.

        The measurement is between this rank and the hub, the namespace that joins all ranks. Rates are measured without
        delay, jitter and loss, because TCP slows down under these.
        """
        with socket.create_connection(self._listener.getsockname()) as own:
            hub, _ = self._listener.accept()
            with hub:
                for end in (own, hub):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.shape(dataclasses.replace(link, delay_seconds=0.0, jitter_seconds=0.0, loss=0.0))
                up = _stream_rate(own, hub, link.up_bits_per_second, self._up)
                down = _stream_rate(hub, own, link.down_bits_per_second, self._down)
                self.shape(link)
                round_trip = _round_trip_seconds(own, hub)
                self.unshape()
        return MeasuredLink(up_bits_per_second=up, down_bits_per_second=down, round_trip_seconds=round_trip)


def _stream_rate(sender: socket.socket, receiver: socket.socket, asked: int, shaper: _Shaper) -> float:
    least, most = _MEASURE_BYTES
    total = min(max(int(asked / 8 * _MEASURE_SECONDS), least), most)
    # The token bucket starts full, so the first burst passes faster than the rate. It is not timed.
    skipped = min(total // 4, 4 * burst_bytes(asked))
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


def _round_trip_seconds(near: socket.socket, far: socket.socket) -> float:
    """Send a byte to ``far`` and back ``_ROUND_TRIPS`` times, fewer if this takes long; return the shortest time."""
    trips: list[float] = []
    while len(trips) < _ROUND_TRIPS and sum(trips) < _ROUND_TRIP_SECONDS:
        started = time.perf_counter()
        near.sendall(b"?")
        far.sendall(far.recv(1))
        near.recv(1)
        trips.append(time.perf_counter() - started)
    return min(trips)


def refusal_reason(error: BaseException) -> str:
    """Return the kernel's message for a request that it refused with an OSError or one of pyroute2's errors."""
    number: Any = getattr(error, "code", None) or getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) else str(error)
