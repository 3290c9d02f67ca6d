"""Gloo transport for vectors on a GPU: messages pass through host memory."""

from collections.abc import Iterator

import torch
import torch.distributed as dist

from liecbench.algorithms.comm.gloo import GlooTransport
from liecbench.algorithms.comm.pacing import Pacer
from liecbench.algorithms.comm.partition import ServerPlace
from liecbench.algorithms.comm.path import Path
from liecbench.algorithms.comm.timing import HostClock, Stopwatch
from liecbench.algorithms.comm.transport import Traffic
from liecbench.compressors.base import Compressor, Message


class StagedGlooTransport(GlooTransport):
    """Copies each message from the sender's GPU to host memory, sends it, and copies it to the receiver's GPU.

    The stopwatch ``watch`` times the copies, on the GPU's clock. Sending and waiting are timed on the host's clock.
    """

    receives_in_place = False
    owns_recv_buffers = True

    def __init__(
        self,
        group: dist.ProcessGroup,
        server: ServerPlace,
        watch: Stopwatch,
        pacer: Pacer | None,
        path: Path | None,
        device: torch.device,
    ) -> None:
        super().__init__(group, server, watch.with_clock(HostClock()), pacer, path)
        self._gpu_watch, self._device = watch, device
        self._last_copied: tuple[Message, Message] | None = None

    def recv_buffer(self, compressor: Compressor, numel: int) -> Message:
        """Return an uninitialised message for ``numel`` elements in new host memory.

        The memory of earlier messages cannot be reused, because their copies to the GPU may not have ended.
        """
        return self._on_host(compressor.message_bytes(numel), numel)

    def exchange(self, traffic: Traffic, *, limit_bytes: int) -> Iterator[tuple[int, Message]]:
        """Move messages as ``GlooTransport`` does; yield each sender's rank with a copy of the message on the GPU."""
        yield from super().exchange(traffic, limit_bytes=limit_bytes)
        self._last_copied = None

    def _on_host(self, size: int, numel: int) -> Message:
        # Page-locked memory comes from a cache of torch, which reuses memory only when the copies from it are done.
        return Message(torch.empty(size, dtype=torch.uint8, pin_memory=self._device.type == "cuda"), numel)

    def _to_host(self, message: Message) -> Message:
        if self._last_copied is not None and self._last_copied[0] is message:
            return self._last_copied[1]  # a server sends the same message to every peer, and copies it only once
        host = self._on_host(message.payload_bytes, message.numel)
        with self._gpu_watch.timed("communicate_seconds", "copy"):
            host.payload.copy_(message.payload, non_blocking=True)
        if message.payload.is_cuda:
            torch.cuda.current_stream(self._device).synchronize()  # Gloo does not know CUDA streams
        self._last_copied = message, host
        return host

    def _from_host(self, message: Message) -> Message:
        with self._gpu_watch.timed("communicate_seconds", "copy"):
            payload = message.payload.to(self._device, non_blocking=True, copy=True)
        return Message(payload, message.numel)
