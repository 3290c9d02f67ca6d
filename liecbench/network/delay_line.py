"""The loop that emulates links in user space: it delays frames as their links demand, and passes them on.

One process (``delay_line_process``) serves all links of a launch. While no link is limited, the kernel's bridge joins
the links. While a link is limited, the bridge is down: the process reads every frame that the workers and the hub send,
and sends it to its receiver when its time has come (``frame_schedule``).

Ranks control the process through a socket, with one JSON object per message. A request has ``rank``, and one of three
keys: ``link`` (the link's limits; null lifts them), ``open`` (find out whether the kernel has packet sockets) or
``tally`` (ask for the counts). The answer has ``error``, which is null or the reason why the kernel has no packet
sockets. The answer to ``tally`` also has ``tally``, the fields of a ``LinkTally``.
"""

import contextlib
import json
import select
import socket
import time
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from pyroute2 import IPRoute

from liecbench.network.frame_schedule import FrameSchedule
from liecbench.network.link import Link
from liecbench.network.link_tally import LinkTally
from liecbench.network.packet_port import PacketPort

# Memory of all rings together, and the most and the fewest frames per ring. A frame takes 32 KiB.
_RING_FRAMES, _MOST_FRAMES, _FEWEST_FRAMES = 4096, 256, 16
# Part of the last waking-up's lateness that counts in the moving average.
_SMOOTHING: Final = 1 / 16
_MOST_EARLY_SECONDS: Final = 100e-6
_IS_BROADCAST: Final = 1
_LONGEST_REQUEST: Final = 2**12


class DelayLine:
    """The state of the process that emulates links: frames on the links, packet sockets, and connections to ranks.

    Args:
        listener: The socket on which ranks connect to the process.
        bridge: The interface index of the bridge that joins all workers and the hub. The hub is the namespace that has
            the bridge.
        ports: The names of the bridge's ports: first the port of each worker, by rank, and last the port of the hub.
    """

    def __init__(self, listener: socket.socket, bridge: int, ports: Sequence[str]) -> None:
        self._listener, self._bridge, self._names = listener, bridge, ports
        self._route = IPRoute()
        self._hub = len(ports) - 1
        self._schedule = FrameSchedule(self._hub)
        self._controls: dict[int, socket.socket] = {}
        self._limited: set[int] = set()
        self._ports: list[PacketPort] = []
        self._early = 0.0
        self._sent_frames, self._late_seconds = 0, 0.0
        self._ready = select.epoll()
        self._ready.register(listener, select.EPOLLIN)

    def run(self) -> NoReturn:
        """Emulate the links until this process is killed: delay frames, and carry out the requests of ranks."""
        while True:
            is_busy = self._move_frames() if self._limited else False
            self._wait(is_busy=is_busy)

    def _move_frames(self) -> bool:
        """Read the frames that have arrived, and send those that are due. Return whether any frame was read or sent."""
        schedule, ports, moved = self._schedule, self._ports, False
        for source, port in enumerate(ports):
            for at, frame in port.read():
                moved = True
                self._enter(at, source, frame)
        for due, destination, frame in schedule.due(time.monotonic() + self._early):
            moved = True
            ports[destination].send(frame)
            self._sent_frames += 1
            self._late_seconds += max(0.0, time.monotonic() - due)
        return moved

    def _enter(self, at: float, source: int, frame: bytes) -> None:
        # A frame has 10 bytes before the address of its receiver, whose last two bytes are the receiver's number.
        if frame[10] & _IS_BROADCAST:
            others = [port for port in range(len(self._ports)) if port != source]
            self._schedule.broadcast(at, source, others, frame)
            return
        destination = frame[14] << 8 | frame[15]
        if destination < len(self._ports):
            self._schedule.enter(at, source, destination, frame)

    def _wait(self, *, is_busy: bool) -> None:
        """Wait until a frame arrives or is due, or a rank sends a request. Then answer the requests of ranks.

        If ``is_busy``, do not wait, but answer the requests that have arrived.
        """
        seconds = None
        due = self._schedule.next_time - self._early
        if is_busy:
            seconds = 0.0
        elif due < float("inf"):
            seconds = max(0.0, due - time.monotonic())
        # epoll waits for whole milliseconds, and select watches no descriptor above 1023; that of epoll is small.
        is_ready, _, _ = select.select([self._ready], [], [], seconds)
        if seconds and not is_ready:
            self._learn_lateness(time.monotonic() - due)
        for descriptor, _ in self._ready.poll(0) if is_ready else ():
            if descriptor == self._listener.fileno():
                control, _ = self._listener.accept()
                self._controls[control.fileno()] = control
                self._ready.register(control, select.EPOLLIN)
            elif descriptor in self._controls:
                self._answer(self._controls[descriptor])

    def _learn_lateness(self, late: float) -> None:
        """Adjust how early the process asks to be woken before a due time, so that it wakes on time on average.

        ``late`` is the time in seconds from the last due time until the process was woken.
        """
        error = min(late, 2 * _MOST_EARLY_SECONDS) - self._early
        self._early = min(max(0.0, self._early + _SMOOTHING * error), _MOST_EARLY_SECONDS)

    def _answer(self, control: socket.socket) -> None:
        request = b""
        with contextlib.suppress(OSError):  # the rank was killed before it read an answer
            request = control.recv(_LONGEST_REQUEST)
        if not request:
            del self._controls[control.fileno()]
            control.close()
            return
        asked, answer = json.loads(request), dict[str, Any](error=None)
        try:
            if "link" in asked:
                self._set(int(asked["rank"]), asked["link"])
            elif "open" in asked:
                self._open()
        except OSError as refused:
            answer["error"] = refused.strerror or str(refused)
        if "tally" in asked:
            answer["tally"] = self._tally().as_dict()
        with contextlib.suppress(OSError):  # the rank may have died
            control.send(json.dumps(answer).encode())

    def _tally(self) -> LinkTally:
        up, down = self._schedule.up, self._schedule.down
        return LinkTally(
            lost_sent_segments=tuple(up[rank].lost_segments for rank in range(self._hub)),
            lost_received_segments=tuple(down[rank].lost_segments for rank in range(self._hub)),
            dropped_frames=sum(port.dropped() for port in self._ports),
            sent_frames=self._sent_frames,
            late_seconds=self._late_seconds,
            cpu_seconds=time.process_time(),
        )

    def _set(self, rank: int, asked: dict[str, Any] | None) -> None:
        if self._limited:
            self._move_frames()  # at the rates that were in force until now
        up, down = self._schedule.up[rank], self._schedule.down[rank]
        if asked is not None:
            link = Link(**asked)
            if not self._limited:
                self._take_over()
            up.limit(link, link.up_bits_per_second)
            down.limit(link, link.down_bits_per_second)
            self._limited.add(rank)
        elif rank in self._limited:
            up.lift()
            down.lift()
            self._limited.discard(rank)
            if not self._limited:
                self._hand_back()

    def _open(self) -> None:
        """Open the packet sockets if they are not open yet. Raises OSError if the kernel refuses."""
        if not self._ports:
            slots = min(_MOST_FRAMES, max(_FEWEST_FRAMES, _RING_FRAMES // len(self._names)))
            ports = [PacketPort(name, slots) for name in self._names]
            for port in ports:
                port.pause()
            self._ports = ports

    def _take_over(self) -> None:
        self._open()
        for port in self._ports:
            port.resume()
            self._ready.register(port, select.EPOLLIN)
        self._route.link("set", index=self._bridge, state="down")

    def _hand_back(self) -> None:
        self._move_frames()
        self._flush()
        self._route.link("set", index=self._bridge, state="up")
        # The bridge did not forward the frames that arrived before it was up.
        is_up = time.monotonic()
        for source, port in enumerate(self._ports):
            for at, frame in port.read():
                if at <= is_up:
                    self._enter(at, source, frame)
        self._flush()
        for port in self._ports:
            self._ready.unregister(port)
            port.pause()

    def _flush(self) -> None:
        for _, destination, frame in self._schedule.flush():
            self._ports[destination].send(frame)
