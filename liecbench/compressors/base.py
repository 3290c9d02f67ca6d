"""The interface of every compressor: it turns vectors into messages, and messages back into vectors."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from liecbench.compressors.kernels.dispatch import operations_for


@dataclass(frozen=True, slots=True, kw_only=True)
class RngKey:
    """The identity of a message, from which a random compressor derives its random numbers.

    Attributes:
        step: Training step, from 0.
        block: Index of the gradient block.
        shard: Rank that is the server of the message's shard.
        stage: Number of the push and its pull within the step and block, from 0.
        sender: Rank that compresses the message.
        from_server: Whether a server sends the message to all ranks; else a worker sends it to a server.
    """

    step: int = 0
    block: int = 0
    shard: int = 0
    stage: int = 0
    sender: int = 0
    from_server: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A compressed vector: exactly the bytes that are sent.

    Attributes:
        payload: The bytes, uint8 of shape ``[payload_bytes]``.
        numel: The length of the vector; it is not sent, because sender and receiver both know it.
    """

    payload: Tensor
    numel: int

    @property
    def payload_bytes(self) -> int:
        """The number of bytes to transport."""
        return self.payload.numel()


class Compressor(ABC):
    """A map from each vector v to a message, and from the message to the vector C(v), which approximates v.

    Vectors are contiguous float32 tensors of shape ``[numel]``. A message is on the device of its vector.

    A new compressor implements ``payload_bytes``, ``encode``, ``decode`` and ``all_finite`` for CPU tensors. It then
    works on GPU tensors as well, by copying them to the CPU. With ``gpu_kernels`` or ``device_independent`` it works on
    the GPU itself.

    If v contains NaN or infinity, C(v) must do so too: every rank then learns of it from the message.

    Attributes:
        preferred_block_bytes: The block size, in bytes of float32, for scenarios that set none; None keeps the default.
        gpu_kernels: The class with this compressor's ``Operations`` for GPU tensors, as ``module:Class``, or None. It
            is imported when the first GPU tensor is compressed or decompressed.
        device_independent: Whether ``encode``, ``decode`` and ``all_finite`` accept tensors of every device, as they do
            if they consist of torch operations.
    """

    preferred_block_bytes: ClassVar[int | None] = None
    gpu_kernels: ClassVar[str | None] = None
    device_independent: ClassVar[bool] = False

    @property
    def is_contraction(self) -> bool:
        """True if E‖C(v) − v‖² ≤ (1 − δ)‖v‖² for some δ > 0, as methods with error feedback need."""
        return True

    def with_rng(self, key: RngKey) -> "Compressor":
        """Return a compressor that uses the random numbers of ``key``, or this compressor if it uses none."""
        return self

    def compress(self, tensor: Tensor, residual: Tensor | None = None) -> Message:
        """Compress a vector.

        Args:
            tensor: The vector v, float32 of shape ``[numel]``.
            residual: Receives v − C(v), unless it is None. It has the vector's shape and device, and may be ``tensor``
                itself.

        Returns:
            The message of C(v), on the vector's device.
        """
        message = self.empty_message(tensor.numel(), tensor.device)
        if tensor.numel():
            with torch.cuda.device_of(tensor):
                operations_for(self, tensor).encode(tensor, message.payload, residual)
        return message

    def decompress(
        self, message: Message, out: Tensor | None = None, accumulate: bool = False, weight: float = 1.0
    ) -> Tensor:
        """Compute ``weight`` · C(v) from a message, in one pass.

        Args:
            message: The message of C(v).
            out: Receives the result, float32 of shape ``[message.numel]``; a new tensor by default.
            accumulate: Whether to add the result to ``out`` instead of overwriting it.
            weight: The factor.

        Returns:
            ``out``.
        """
        assert out is not None or not accumulate, "accumulate needs out"
        if out is None:
            out = torch.empty(message.numel, device=message.payload.device)
        return self.sum_messages([message], out, accumulate, weight)

    def sum_messages(
        self, messages: Sequence[Message], out: Tensor, accumulate: bool = False, weight: float = 1.0
    ) -> Tensor:
        """Compute Σ ``weight`` · C(v_i), adding the messages in their order.

        The result has the same bits as if ``decompress`` added the messages one by one; GPU kernels can add several
        messages in a single pass over ``out``.

        Args:
            messages: One message per vector v_i; all v_i are as long as ``out``.
            out: Receives the sum, float32 of shape ``[numel]``.
            accumulate: Whether to add the sum to ``out`` instead of overwriting it.
            weight: The factor of every message.

        Returns:
            ``out``.
        """
        if out.numel():
            payloads = [message.payload for message in messages]
            with torch.cuda.device_of(out):
                operations_for(self, out).sum_payloads(payloads, out, accumulate, weight)
        return out

    def is_finite(self, message: Message) -> Tensor:
        """Return whether every element of C(v) is finite, as a boolean tensor of shape [] on the message's device.

        On a GPU the host does not wait for the answer until it reads the tensor.
        """
        payload = message.payload
        with torch.cuda.device_of(payload):
            return operations_for(self, payload).all_finite(payload, message.numel)

    def empty_message(self, numel: int, device: torch.device | str = "cpu") -> Message:
        """Return a message with an uninitialised payload, to receive a vector of ``numel`` elements."""
        size = self.payload_bytes(numel) if numel else 0
        return Message(torch.empty(size, dtype=torch.uint8, device=device), numel)

    @abstractmethod
    def payload_bytes(self, numel: int) -> int:
        """Return the bytes of a message for ``numel`` ≥ 1 elements; they must not depend on the elements' values."""

    @abstractmethod
    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the message of C(v) and, if wanted, the residual v − C(v).

        Args:
            vector: The vector v, float32 of shape ``[numel]`` with ``numel`` ≥ 1. It must not change, unless it is also
                ``residual``.
            payload: Receives the message, uint8 of shape ``[payload_bytes(numel)]``, uninitialised.
            residual: Receives v − C(v), if not None; may be ``vector`` itself.
        """

    @abstractmethod
    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Write ``weight`` · C(v) to ``out``, or add it to ``out`` if ``accumulate``.

        Args:
            payload: A message's bytes, uint8 of shape ``[payload_bytes(numel)]``.
            out: Receives the result, float32 of shape ``[numel]``, uninitialised unless ``accumulate``.
            accumulate: Whether to add to ``out`` instead of overwriting it.
            weight: The factor.
        """

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Write Σ ``weight`` · C(v_i) to ``out``, or add it to ``out`` if ``accumulate``.

        This calls ``decode`` for one payload after the other; a subclass may override it with something faster.

        Args:
            payloads: The messages' bytes, uint8 of shape ``[payload_bytes(numel)]`` each.
            out: Receives the sum, float32 of shape ``[numel]``, uninitialised unless ``accumulate``.
            accumulate: Whether to add to ``out`` instead of overwriting it.
            weight: The factor of every message.
        """
        for number, payload in enumerate(payloads):
            self.decode(payload, out, accumulate or number > 0, weight)

    @abstractmethod
    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether every element of C(v) is finite, as a boolean tensor of shape [].

        Args:
            payload: A message's bytes, uint8 of shape ``[payload_bytes(numel)]``.
            numel: The length of the vector.
        """
