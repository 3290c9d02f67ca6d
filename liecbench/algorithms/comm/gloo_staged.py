"""Messages of vectors on a GPU over Gloo, which sends from the host."""

from collections.abc import Iterator

import torch
import torch.distributed as dist

from liecbench.algorithms.comm.clock import HostClock
from liecbench.algorithms.comm.counters import Stopwatch
from liecbench.algorithms.comm.gloo import Rotation
from liecbench.algorithms.comm.pacing import Pacer
from liecbench.algorithms.comm.shards import ServerPlace
from liecbench.algorithms.comm.transport import Traffic
from liecbench.compressors.base import Compressor, Message


class Staged(Rotation):
    """Over Gloo for vectors on a GPU: messages are copied to the host, sent, and copied to the GPU where they come.

    ``watch`` is by the GPU's clock and shows the copies; what passes on the host is by the host's.
    """

    arrives_in_place = False
    gives_room = True

    def __init__(
        self,
        group: dist.ProcessGroup,
        server: ServerPlace,
        watch: Stopwatch,
        pacer: Pacer | None,
        device: torch.device,
    ) -> None:
        super().__init__(group, server, watch.by(HostClock()), pacer)
        self._gpu, self._device = watch, device
        self._last: tuple[Message, Message] | None = None

    def room(self, compressor: Compressor, numel: int) -> Message:
        """On the host; every message has its own, because its copy may go on when the next one comes."""
        return self._on_host(compressor.payload_bytes(numel) if numel else 0, numel)

    def swap(self, traffic: Traffic, *, limit_bytes: int) -> Iterator[tuple[int, Message]]:
        """Move the traffic in rotation."""
        yield from super().swap(traffic, limit_bytes=limit_bytes)
        self._last = None

    def _on_host(self, size: int, numel: int) -> Message:
        # Page-locked, from torch's cache: it gives out no memory again before the copies that use it are over.
        return Message(torch.empty(size, dtype=torch.uint8, pin_memory=self._device.type == "cuda"), numel)

    def _fetched(self, message: Message) -> Message:
        if self._last is not None and self._last[0] is message:
            return self._last[1]  # a server's answer goes to every peer
        host = self._on_host(message.payload_bytes, message.numel)
        with self._gpu.timed("communicate_seconds", "copy"):
            host.payload.copy_(message.payload, non_blocking=True)
        if message.payload.is_cuda:
            torch.cuda.current_stream(self._device).synchronize()  # Gloo knows of no stream
        self._last = message, host
        return host

    def _brought(self, message: Message) -> Message:
        with self._gpu.timed("communicate_seconds", "copy"):
            payload = message.payload.to(self._device, non_blocking=True, copy=True)
        return Message(payload, message.numel)
