"""Emulate and measure one rank's link to the hub, which is the network namespace that joins all ranks.

A link is limited by kernel shapers or by the delay line, a process in user space. A veth, which is a pair of virtual
network interfaces, connects each rank to the hub. The kernel shaper of the rank's interface limits what the rank sends
(up). The kernel shaper of the hub's interface limits what the rank receives (down). A rank starts in the hub's
namespace. Before the rank moves to its own namespace, it opens a netlink socket, with which it later sets the shaper of
the hub's interface.
"""

import dataclasses
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Final, Literal

from pyroute2 import IPRoute

from liecbench.host.linux import enter_network_namespace
from liecbench.network.addresses import HUB_ADDRESS
from liecbench.network.delay_line_control import DelayLineControl
from liecbench.network.hub import INTERFACE, port_name
from liecbench.network.kernel_shaper import KernelShaper
from liecbench.network.link import Link, Mechanism, burst_bytes
from liecbench.network.link_map import LinkMap
from liecbench.network.link_tally import LinkTally
from liecbench.network.measurement import MeasuredLink
from liecbench.network.mechanism import Emulator, UsedEmulator, choose_mechanism, used_emulator
from liecbench.network.tcp_window import SendWindow

_MEASURE_SECONDS: Final = 0.2
# The fewest and the most bytes to send per direction when a link is measured. The fewest take a third of a second at 1
# Mbit/s.
_MEASURE_BYTES: Final = (40 * 2**10, 32 * 2**20)
_ROUND_TRIPS, _ROUND_TRIP_SECONDS = 5, 0.5


class WorkerLink:
    """One rank's link to the hub.

    The hub is the network namespace whose bridge joins all ranks. Create the object while the process is in the hub and
    has not started any thread. The constructor moves the process into the rank's own namespace.

    Args:
        rank: The rank.
        namespace: Path of a file that refers to the rank's existing namespace, such as ``/proc/PID/fd/N``.
    """

    name: Literal["kernel"] = "kernel"
    pacer = None

    def __init__(self, rank: int, namespace: str) -> None:
        hub = IPRoute()
        self._mechanism: Mechanism = "kernel"
        self._longest_delay = 0.0
        self._delay_line = DelayLineControl(rank)
        self._listener = socket.create_server((HUB_ADDRESS, 0))
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        enter_network_namespace(descriptor)
        os.close(descriptor)
        self._window = SendWindow()
        self._up, self._down = KernelShaper(IPRoute(), INTERFACE), KernelShaper(hub, port_name(rank))

    def choose(
        self, links: LinkMap, num_workers: int, emulator: Emulator, on_all: Callable[[bool], bool] = bool
    ) -> UsedEmulator:
        """Choose the emulator that limits the links from now on.

        Args:
            links: The links of all workers, which must be shaped.
            num_workers: Number of workers.
            emulator: The scenario's setting ``emulator``, such as ``auto``.
            on_all: A function that returns whether its argument is true on all ranks. The ranks then choose alike. The
                default considers only this rank.

        Returns:
            The chosen emulator's name in records: ``delay_line``, ``netem`` or ``tbf``.
        """
        self._longest_delay = max((link.delay_seconds for link in links.links()), default=0.0)
        has_delay_line = on_all(self.delay_line_refusal() is None)
        self._mechanism = choose_mechanism(links, num_workers, emulator, has_delay_line=has_delay_line)
        return used_emulator(links, self._mechanism)

    def delay_line_refusal(self) -> str | None:
        """Return the reason why this kernel cannot run the process that emulates links; None if it can."""
        return self._delay_line.refusal()

    def shape(self, link: Link) -> None:
        """Limit this rank's link to the rates of ``link``, and emulate the delay, jitter and loss of ``link``.

        Raises OSError or one of pyroute2's errors if the kernel does not support this.
        """
        self._window.fit(link.up_bits_per_second, 2 * (link.delay_seconds + self._longest_delay))
        if self._mechanism == "kernel":
            self._up.shape(link.up_bits_per_second, link)
            self._down.shape(link.down_bits_per_second, link)
            return
        self._up.hold_back(link.up_bits_per_second)
        self._down.count()
        self._delay_line.limit(link)

    def unshape(self) -> None:
        """Remove the limits of both directions."""
        self._up.unshape()
        self._down.unshape()
        self._delay_line.lift()

    def tally(self) -> LinkTally:
        """Return the counts of the delay line, such as lost segments, for all ranks since the delay line started.

        The delay line is the process that emulates links.
        """
        return self._delay_line.tally()

    def wire_bytes(self) -> tuple[int, int]:
        """Return this rank's bytes (sent, received) since ``shape`` was first called, with Ethernet headers."""
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
                round_trip = round_trip_seconds(own, hub)
                self.unshape()
        return MeasuredLink(up_bits_per_second=up, down_bits_per_second=down, round_trip_seconds=round_trip)


def _stream_rate(sender: socket.socket, receiver: socket.socket, asked: int, shaper: KernelShaper) -> float:
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


def round_trip_seconds(near: socket.socket, far: socket.socket) -> float:
    """Return the shortest of several round trips of one byte from ``near`` to ``far`` and back, in seconds.

    ``near`` and ``far`` are the ends of a TCP connection in this process, with ``TCP_NODELAY``. There are at most
    five trips. No further trip starts once the trips have taken half a second together.
    """
    trips: list[float] = []
    while len(trips) < _ROUND_TRIPS and sum(trips) < _ROUND_TRIP_SECONDS:
        started = time.perf_counter()
        near.sendall(b"?")
        far.sendall(far.recv(1))
        near.recv(1)
        trips.append(time.perf_counter() - started)
    return min(trips)
