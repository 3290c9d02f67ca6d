"""What an exchange asks of whatever moves its messages from rank to rank."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.distributed as dist

from liecbench.algorithms.comm.counters import Stopwatch
from liecbench.algorithms.comm.shards import ServerPlace
from liecbench.compressors.base import Compressor, Message


def over_nccl(device: torch.device, group: dist.ProcessGroup) -> bool:
    """Whether tensors on ``device`` travel over NCCL, so that the host runs ahead of what moves."""
    return device.type == "cuda" and "nccl" in dist.get_backend_config(group)


@dataclass(slots=True)
class Traffic:
    """What a rank sends to and receives from its peers; ``meanwhile`` runs once, behind the first message sent.

    ``incoming`` gives the room for what comes from a peer. ``dense`` says that nothing is compressed.
    """

    outgoing: dict[int, Callable[[], Message]] = field(default_factory=dict)
    incoming: dict[int, Callable[[], Message]] = field(default_factory=dict)
    meanwhile: Callable[[], None] = lambda: None
    dense: bool = True


class Transport(ABC):
    """Moves messages over a process group, and counts them.

    ``arrives_in_place`` says whether what comes can be received where the vectors are, ``gives_room`` whether what
    comes may be kept, and ``answers_late`` whether the host runs ahead of what moves.
    """

    arrives_in_place: ClassVar[bool] = True
    gives_room: ClassVar[bool] = False
    answers_late: ClassVar[bool] = False

    def __init__(self, group: dist.ProcessGroup, server: ServerPlace, watch: Stopwatch) -> None:
        self._group, self._server, self._watch = group, server, watch
        self._rank, self._world_size = group.rank(), group.size()

    @abstractmethod
    def room(self, compressor: Compressor, numel: int) -> Message:
        """Room for a message of ``numel`` elements that comes."""

    @abstractmethod
    def swap(self, traffic: Traffic, *, limit_bytes: int) -> Iterator[tuple[int, Message]]:
        """Move the traffic, and yield what comes and from whom; what has room at once takes about ``limit_bytes``.

        Unless it ``gives_room``, what was yielded is done with when the next is asked for.
        """

    def _count_sent(self, message: Message) -> None:
        self._watch.counters.sent_bytes += message.payload_bytes
        self._watch.counters.sent_messages += 1
