"""What every compressor offers: a vector into a message and back, the residual in the same pass."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Which random numbers a message takes: those of a step, a block, a shard of it and a stage of the method.

    ``sender`` is the rank whose message it is, where every sender has numbers of its own; ``answer`` says that it is
    the server's to all of them.
    """

    step: int = 0
    block: int = 0
    shard: int = 0
    stage: int = 0
    sender: int = 0
    answer: bool = False


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

    Vectors are contiguous one-dimensional float32 tensors on the CPU. A vector that holds a value that is not finite
    compresses to a message that decompresses to one that is not finite: so every rank learns of it from the message.
    """

    preferred_block_bytes: ClassVar[int | None] = None

    @property
    def is_contraction(self) -> bool:
        """Whether E‖C(v) − v‖² ≤ (1 − δ)‖v‖² for some δ > 0: what a method with an error memory needs."""
        return True

    def drawn(self, draw: Draw) -> "Compressor":
        """This compressor with the random numbers of ``draw``; itself where it takes none."""
        return self

    def compress(self, tensor: Tensor, residual: Tensor | None = None) -> Message:
        """C(``tensor``); also writes ``tensor`` − C(``tensor``) to ``residual``, which may be ``tensor`` itself."""
        message = self.empty_message(tensor.numel(), tensor.device)
        if tensor.numel():
            self._compress(tensor, message.payload, residual)
        return message

    def decompress(
        self, message: Message, out: Tensor | None = None, accumulate: bool = False, weight: float = 1.0
    ) -> Tensor:
        """``weight`` · C(v) written to ``out``, or added to it where ``accumulate``; all in one pass."""
        assert out is not None or not accumulate, "accumulate needs out"
        if out is None:
            out = torch.empty(message.numel, device=message.payload.device)
        if message.numel:
            self._decompress(message.payload, out, accumulate, weight)
        return out

    def empty_message(self, numel: int, device: torch.device | str = "cpu") -> Message:
        """Room for the message of a vector of ``numel`` elements."""
        size = self.payload_bytes(numel) if numel else 0
        return Message(torch.empty(size, dtype=torch.uint8, device=device), numel)

    @abstractmethod
    def is_finite(self, message: Message) -> bool:
        """Whether what the message stands for is finite."""

    @abstractmethod
    def payload_bytes(self, numel: int) -> int:
        """Bytes of the message of ``numel`` ≥ 1 elements."""

    @abstractmethod
    def _compress(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Fill ``payload``, and ``residual`` where it is given."""

    @abstractmethod
    def _decompress(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Write or accumulate ``weight`` times what ``payload`` stands for."""
