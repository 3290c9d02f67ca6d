"""The interface of a transport, which moves an exchange's messages from rank to rank."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.distributed as dist

from liecbench.algorithms.comm.partition import ServerPlace
from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.compressors.base import Compressor, Message


def uses_nccl(device: torch.device, group: dist.ProcessGroup) -> bool:
    """Return True if ``group`` sends tensors on ``device`` over NCCL; the host then does not wait for transfers."""
    return device.type == "cuda" and "nccl" in dist.get_backend_config(group)


@dataclass(slots=True)
class Traffic:
    """The messages that a rank exchanges with its peers in one push, pull or gather.

    Attributes:
        outgoing: For each rank that this rank sends to, a function that makes the message.
        incoming: For each rank that this rank receives from, a function that makes the buffer for the message.
        overlap: A function to call once, while the first message is under way.
        is_dense: Whether the messages are uncompressed.
        total_bytes: In a push, the payload bytes of all messages that one rank sends. In a pull or gather, the payload
            bytes of all messages that one rank receives. The message that a rank would send to itself is included. Must
            be equal on all ranks.
    """

    outgoing: dict[int, Callable[[], Message]] = field(default_factory=dict)
    incoming: dict[int, Callable[[], Message]] = field(default_factory=dict)
    overlap: Callable[[], None] = lambda: None
    is_dense: bool = True
    total_bytes: int = 0  # if it differed between ranks, some would wait in a barrier that the others skip


class Transport(ABC):
    """Moves messages over a process group, and counts them.

    Attributes:
        receives_in_place: Whether a message can be received directly into a vector's memory.
        owns_recv_buffers: Whether a received message stays valid when the next one arrives.
        is_async: Whether the host goes on while messages are still in transfer.
    """

    receives_in_place: ClassVar[bool] = True
    owns_recv_buffers: ClassVar[bool] = False
    is_async: ClassVar[bool] = False

    def __init__(self, group: dist.ProcessGroup, server: ServerPlace, watch: Stopwatch) -> None:
        self._group, self._server, self._watch = group, server, watch
        self._rank, self._world_size = group.rank(), group.size()

    @abstractmethod
    def recv_buffer(self, compressor: Compressor, numel: int) -> Message:
        """Return a message with an uninitialised payload, to receive a vector of ``numel`` elements."""

    @abstractmethod
    def exchange(self, traffic: Traffic, *, limit_bytes: int) -> Iterator[tuple[int, Message]]:
        """Move the messages, and yield each received one with the rank of its sender.

        Args:
            traffic: The messages to send and to receive.
            limit_bytes: About how many bytes all receive buffers may take together; ``NcclTransport`` ignores it.

        Yields:
            The sender's rank and the message. If ``owns_recv_buffers`` is False, the message is valid only until the
            next one is requested.
        """

    def barrier_trips(self, traffic: Traffic) -> int:
        """Return the number of one-way trips, made one after the other, that the barrier before an exchange takes.

        Return 0 if there is no barrier.
        """
        return 0

    def _count_sent(self, message: Message) -> None:
        self._watch.counters.sent_bytes += message.payload_bytes
        self._watch.counters.sent_messages += 1
