"""The interface that every compressor implements: turn vectors into messages, and messages back into vectors."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from liecbench.compressors.kernels.dispatch import operations_for


@dataclass(frozen=True, slots=True, kw_only=True)
class RngKey:
    """The identity of one message, from which the message's random numbers are derived if the compressor uses any.

    In one step, an algorithm sends a block of the gradient from the workers to servers (push), and the average back to
    all workers (pull). Each server averages one shard of the block. Some algorithms push and pull a block several
    times.

    Attributes:
        step: Training step, from 0.
        block: Index of the gradient block, from 0.
        shard: Rank of the server that averages the message's shard.
        stage: Number of the push within its step and block, from 0. A pull has the number of the push before it.
        sender: Rank that compresses the message.
        from_server: True if a server sends the message to all ranks, False if a worker sends it to a server.
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
        numel: The number of elements of the vector. It is not sent, because sender and receiver both know it.
    """

    payload: Tensor
    numel: int

    @property
    def payload_bytes(self) -> int:
        """The number of bytes of ``payload``."""
        return self.payload.numel()


class Compressor(ABC):
    """A compressor: it turns a vector v into a message, and the message into a vector C(v) that approximates v.

    Vectors are contiguous float32 tensors of shape ``[numel]``. A message is on the device of its vector.

    A new compressor implements ``payload_bytes``, ``encode``, ``decode`` and ``all_finite`` for CPU tensors. GPU
    tensors are then copied to the CPU and compressed there. To compress on the GPU instead, set ``gpu_kernels`` or
    ``device_independent``.

    If v contains NaN or infinity, C(v) must contain NaN or infinity too, so that every rank learns of it from the
    message.

    Attributes:
        preferred_block_bytes: The size of a gradient block, in bytes of float32, if a scenario sets none. None keeps
            the algorithm's default.
        cpu_kernels: Full names of the modules that the CPU operations import when they are first used. Training imports
            these modules before the first step, so that no timed step waits for them. The tuple is empty if the
            compressor's own module imports its kernels.
        gpu_kernels: The class that implements ``kernels.dispatch.Operations`` for GPU tensors, written as
            ``module:Class``, or None. It is imported when the first GPU tensor is compressed or decompressed.
        error_memory_refusal: The end of an error message, for compressors that are no contraction. Methods with error
            feedback refuse these compressors. The text says why, and what to use instead.
        device_independent: Whether ``encode``, ``decode`` and ``all_finite`` accept tensors on every device. They do if
            they consist of torch operations.
    """

    preferred_block_bytes: ClassVar[int | None] = None
    cpu_kernels: ClassVar[tuple[str, ...]] = ()
    gpu_kernels: ClassVar[str | None] = None
    error_memory_refusal: ClassVar[str] = (
        "it is unbiased; take csgd, which keeps no memory, or a contraction such as sign or top_k"
    )
    device_independent: ClassVar[bool] = False

    @property
    def is_contraction(self) -> bool:
        """True if E‖C(v) − v‖² ≤ (1 − δ)‖v‖² for some δ > 0 and every v. Error feedback needs such a compressor."""
        return True

    @property
    def decodes_by_sender(self) -> bool:
        """True if decoding a message needs the random numbers of the rank that sent the message, ``RngKey.sender``."""
        return False

    def with_rng(self, key: RngKey) -> "Compressor":
        """Return a copy of this compressor that uses the random numbers of ``key``.

        A compressor that uses no random numbers returns itself.
        """
        return self

    def compress(self, tensor: Tensor, residual: Tensor | None = None) -> Message:
        """Compress a vector.

        Args:
            tensor: The vector v, float32 of shape ``[numel]``.
            residual: Unless it is None, receives v − C(v). It has the vector's shape and device, and may be ``tensor``
                itself.

        Returns:
            The message of C(v), on the vector's device.
        """
        message = self.empty_message(tensor.numel(), tensor.device)
        if message.numel:
            with torch.cuda.device_of(tensor):
                operations_for(self, tensor).encode(tensor, message.payload, residual)
        return message

    def decompress(
        self, message: Message, out: Tensor | None = None, accumulate: bool = False, weight: float = 1.0
    ) -> Tensor:
        """Decode a message to C(v), and multiply C(v) by ``weight``.

        Args:
            message: The message of C(v).
            out: Receives the result, float32 of shape ``[message.numel]``. If it is None, a new tensor is made.
            accumulate: Whether to add the result to ``out`` instead of overwriting ``out``.
            weight: The factor that multiplies C(v).

        Returns:
            ``out``, or the new tensor.
        """
        assert out is not None or not accumulate, "accumulate needs out"
        if out is None:
            out = torch.empty(message.numel, device=message.payload.device)
        return self.sum_messages([message], out, accumulate, weight)

    def sum_messages(
        self, messages: Sequence[Message], out: Tensor, accumulate: bool = False, weight: float = 1.0
    ) -> Tensor:
        """Decode several messages, and write the sum of their vectors, multiplied by ``weight``, to ``out``.

        The sum is bit for bit the result of calls of ``decompress`` that add the messages to ``out`` in order. GPU
        kernels may add several messages in a single pass over ``out``.

        Args:
            messages: The messages. Each decodes to a vector as long as ``out``.
            out: Receives the sum, float32 of shape ``[numel]``.
            accumulate: Whether to add the sum to ``out`` instead of overwriting ``out``.
            weight: The factor that multiplies every decoded vector.

        Returns:
            ``out``.
        """
        if out.numel():
            payloads = [message.payload for message in messages]
            with torch.cuda.device_of(out):
                operations_for(self, out).sum_payloads(payloads, out, accumulate, weight)
        return out

    def is_finite(self, message: Message) -> Tensor:
        """Return whether C(v), the vector that ``message`` decodes to, has only finite elements.

        The result is a boolean tensor of shape [] on the message's device. On a GPU the host does not wait for the
        result until it reads the tensor.
        """
        payload = message.payload
        with torch.cuda.device_of(payload):
            return operations_for(self, payload).all_finite(payload, message.numel)

    def empty_message(self, numel: int, device: torch.device | str = "cpu") -> Message:
        """Return a message for a vector of ``numel`` elements. The payload is allocated but not yet written."""
        return Message(torch.empty(self.message_bytes(numel), dtype=torch.uint8, device=device), numel)

    def message_bytes(self, numel: int) -> int:
        """Return the number of bytes of a message for ``numel`` elements, which is 0 for an empty vector."""
        return self.payload_bytes(numel) if numel else 0

    @abstractmethod
    def payload_bytes(self, numel: int) -> int:
        """Return a message's number of bytes for ``numel`` ≥ 1 elements. It must not depend on the elements' values."""

    @abstractmethod
    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the message of C(v) and, unless ``residual`` is None, the residual v − C(v).

        Args:
            vector: The vector v, float32 of shape ``[numel]`` with ``numel`` ≥ 1. It must not change, unless it is also
                ``residual``.
            payload: Receives the message, uint8 of shape ``[payload_bytes(numel)]``. It is not initialised.
            residual: Unless it is None, receives v − C(v). It may be ``vector`` itself.
        """

    @abstractmethod
    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Decode a message to C(v), the vector that the message stands for, and write ``weight`` · C(v) to ``out``.

        Args:
            payload: The message's bytes, uint8 of shape ``[payload_bytes(numel)]``.
            out: Receives the result, float32 of shape ``[numel]``. It may be uninitialised if ``accumulate`` is False.
            accumulate: Whether to add the result to ``out`` instead of overwriting ``out``.
            weight: The factor that multiplies C(v).
        """

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Write the sum of all ``weight`` · C(v_i) to ``out``. If ``accumulate``, add the sum to ``out`` instead.

        C(v_i) is the vector that message i decodes to. By default, call ``decode`` for one payload after the other. A
        subclass may override this function with something faster.

        Args:
            payloads: The messages' bytes, uint8 of shape ``[payload_bytes(numel)]`` each.
            out: Receives the sum, float32 of shape ``[numel]``. It may be uninitialised if ``accumulate`` is False.
            accumulate: Whether to add to ``out`` instead of overwriting ``out``.
            weight: The factor that multiplies every C(v_i).
        """
        for number, payload in enumerate(payloads):
            self.decode(payload, out, accumulate or number > 0, weight)

    @abstractmethod
    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether every element of C(v) is finite, as a boolean tensor of shape [].

        Args:
            payload: The bytes of the message of C(v), uint8 of shape ``[payload_bytes(numel)]``.
            numel: The number of elements of v.
        """
