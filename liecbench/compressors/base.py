"""What every compressor offers: a vector into a message and back, the residual in the same pass."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class RngKey:
    """The identity of a message, from which a random compressor derives its random numbers.

    ``stage`` counts the messages of one step and block, ``sender`` is the rank that compresses, and ``from_server``
    marks the server's message to all ranks.
    """

    step: int = 0
    block: int = 0
    shard: int = 0
    stage: int = 0
    sender: int = 0
    from_server: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A compressed vector: exactly the bytes that travel.

    ``payload`` is uint8 of shape ``[payload_bytes]``; ``numel`` is the length of the vector, known to both ends.
    """

    payload: Tensor
    numel: int

    @property
    def payload_bytes(self) -> int:
        """Bytes handed over for transport."""
        return self.payload.numel()


class Compressor(ABC):
    """A map C from vectors to messages.

    Vectors are contiguous one-dimensional float32 tensors, on the CPU or on a GPU; their messages are where they are.
    A vector that holds a value that is not finite compresses to a message that decompresses to one that is not finite:
    so every rank learns of it from the message. A compressor without kernels for a GPU works there through the host.
    Kernels start on the GPU that has the vector, whichever is the current one.
    """

    preferred_block_bytes: ClassVar[int | None] = None

    @property
    def is_contraction(self) -> bool:
        """Whether E‖C(v) − v‖² ≤ (1 − δ)‖v‖² for some δ > 0: what a method with an error memory needs."""
        return True

    def with_rng(self, key: RngKey) -> "Compressor":
        """This compressor with the random numbers of ``key``; itself where it takes none."""
        return self

    def compress(self, tensor: Tensor, residual: Tensor | None = None) -> Message:
        """C(``tensor``); also writes ``tensor`` − C(``tensor``) to ``residual``, which may be ``tensor`` itself."""
        message = self.empty_message(tensor.numel(), tensor.device)
        if tensor.numel() and on_host(tensor):
            self._compress(tensor, message.payload, residual)
        elif tensor.numel():
            with torch.cuda.device_of(tensor):
                self._compress_on_gpu(tensor, message.payload, residual)
        return message

    def decompress(
        self, message: Message, out: Tensor | None = None, accumulate: bool = False, weight: float = 1.0
    ) -> Tensor:
        """``weight`` · C(v) written to ``out``, or added to it where ``accumulate``; all in one pass."""
        assert out is not None or not accumulate, "accumulate needs out"
        if out is None:
            out = torch.empty(message.numel, device=message.payload.device)
        return self.sum_messages([message], out, accumulate, weight)

    def sum_messages(
        self, messages: Sequence[Message], out: Tensor, accumulate: bool = False, weight: float = 1.0
    ) -> Tensor:
        """Σ ``weight`` · C(v_i), in the order given, written to ``out``, or added to it where ``accumulate``.

        On a GPU in one pass over ``out``; bit for bit what ``decompress`` gives one after the other.
        """
        if out.numel() and on_host(out):
            for number, message in enumerate(messages):
                self._decompress(message.payload, out, accumulate or number > 0, weight)
        elif out.numel():
            with torch.cuda.device_of(out):
                self._sum_messages_on_gpu([message.payload for message in messages], out, accumulate, weight)
        return out

    def finite_flag(self, message: Message) -> Tensor:
        """``is_finite`` as a boolean where the message is, of shape []: nobody waits for a GPU."""
        if on_host(message.payload):
            return torch.tensor(self.is_finite(message))
        with torch.cuda.device_of(message.payload):
            return self._is_finite_on_gpu(message)

    def empty_message(self, numel: int, device: torch.device | str = "cpu") -> Message:
        """Room for the message of a vector of ``numel`` elements."""
        size = self.payload_bytes(numel) if numel else 0
        return Message(torch.empty(size, dtype=torch.uint8, device=device), numel)

    @abstractmethod
    def is_finite(self, message: Message) -> bool:
        """Whether what the message, which is on the CPU, stands for is finite."""

    @abstractmethod
    def payload_bytes(self, numel: int) -> int:
        """Bytes of the message of ``numel`` ≥ 1 elements."""

    @abstractmethod
    def _compress(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Fill ``payload``, and ``residual`` where it is given; all are on the CPU."""

    @abstractmethod
    def _decompress(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Write or accumulate ``weight`` times what ``payload`` stands for."""

    def _compress_on_gpu(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        host, message = tensor.to("cpu", copy=True), self.empty_message(tensor.numel())
        self._compress(host, message.payload, None if residual is None else host)
        payload.copy_(message.payload)
        if residual is not None:
            residual.copy_(host)

    def _sum_messages_on_gpu(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        host = out.to("cpu", copy=True)
        for number, payload in enumerate(payloads):
            self._decompress(payload.cpu(), host, accumulate or number > 0, weight)
        out.copy_(host)

    def _is_finite_on_gpu(self, message: Message) -> Tensor:
        finite = self.is_finite(Message(message.payload.cpu(), message.numel))
        return torch.tensor(finite, device=message.payload.device)


def on_host(tensor: Tensor) -> bool:
    """Whether the CPU's kernels take a tensor."""
    return tensor.device.type == "cpu"
