"""One side of a paired comparison: its interpreter, and its resident ranks, which wait for orders."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self, TypeVar

from liecbench.config.cell import Cell
from liecbench.config.jobs import Job
from liecbench.launch.channel import RefusedError, StalledError, send, write_plan
from liecbench.launch.events import BurstResult, Closed, Event, Failed, Lost, Opened, Ready, Unknown
from liecbench.launch.launch import REFUSED_REMEDY, Launch
from liecbench.launch.lost_ranks import first_lost
from liecbench.launch.orders import CloseCell, OpenCell, PairedOrder, TrainBurst
from liecbench.launch.plans import PairedPlan
from liecbench.launch.torchrun import Ranks, Torchrun, log_tail, without_namespaces

A = TypeVar("A", bound=Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Settings of side A or side B of a comparison.

    Attributes:
        name: ``A`` or ``B``.
        label: Description for the user, such as a scenario's path or a git revision.
        python: Path of the interpreter that its ranks run with.
        variables: Environment variables that are set for its ranks.
        share_gpus: True if several NCCL ranks may share a GPU.
    """

    name: Literal["A", "B"]
    label: str
    python: str
    variables: Mapping[str, str] = field(default_factory=dict)
    share_gpus: bool = False


class LostError(Exception):
    """The ranks of a side ended or stalled, or the cell that they were measuring failed; the message says why."""


class UnknownError(LostError):
    """A side's version of liecbench does not know something that a cell names, such as an algorithm or an option."""


class StartError(LostError):
    """The ranks of a side did not start, so none of the launch's cells can be measured."""


class ResidentSide:
    """The resident ranks that measure side A or side B of a paired comparison.

    The ranks run until the ``with`` block ends. They act only on the orders that ``open``, ``burst`` and ``close_cell``
    send. If the ranks cannot continue, ``wait``, ``open``, ``burst`` and ``close_cell`` raise LostError. If the links
    are shaped and the kernel refuses the ranks' namespaces or links, ``wait`` raises MachineError.

    Args:
        side: Settings of the side.
        cells: The cells that the ranks can measure. Fields that cannot change while the ranks run, such as the number
            of workers, are equal in all cells.
        directory: Directory for the ranks' plan, the named pipe for orders, and the log.
        stall_timeout: Returns the seconds without an answer after which the ranks count as lost.
        say: Called with each line of progress.
    """

    def __init__(
        self,
        side: Side,
        cells: Sequence[Cell],
        directory: Path,
        stall_timeout: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        self._say = say
        self.side, self._log = side, directory / f"{side.name}.log"
        launch = Launch(jobs=tuple(Job(cell=cell) for cell in cells), share_gpus=side.share_gpus)
        self._torchrun = Torchrun(
            module="liecbench.worker.paired_worker",
            workers=launch.workers,
            threads=cells[0].threads,
            shaped=launch.shaped,
            python=side.python,
            variables=side.variables,
            imports=("liecbench.worker.timing_session",),
            kernels=launch.torchrun().kernels,
        )
        self._plan, fifo = directory / f"{side.name}.json", directory / f"{side.name}.orders"
        os.mkfifo(fifo, 0o600)
        settings = dataclasses.asdict(launch.settings)
        write_plan(self._plan, PairedPlan(orders=str(fifo.resolve()), paced=launch.paced, **settings))
        # Opened for reading and writing: opening does not block, and orders wait in the pipe until the ranks read them.
        self._orders = os.open(fifo, os.O_RDWR | os.O_CLOEXEC)
        self._stall_timeout = stall_timeout
        self._stack = contextlib.ExitStack()
        self._lost: list[Lost] = []

    def start(self) -> None:
        """Start the ranks without waiting for them."""
        self._launch(isolate=True)

    def wait(self) -> None:
        """Wait until the ranks are ready.

        Raises:
            StartError: If the ranks end or stall before they are ready.
        """
        try:
            self._wait_for_ranks()
        except LostError as error:
            raise StartError(str(error)) from None

    def _wait_for_ranks(self) -> None:
        try:
            self._wait_for(Ready)
        except RefusedError as refused:
            self._say(without_namespaces(self._torchrun, refused, REFUSED_REMEDY))
            self._launch(isolate=False)
            self._wait_for(Ready)

    def _launch(self, *, isolate: bool) -> None:
        self._stack.close()
        ranks = Ranks(self._torchrun, self._plan, self._log, self._stall_timeout, isolate=isolate)
        self._ranks = self._stack.enter_context(ranks)
        self._events: Iterator[Event] = self._ranks.events

    def open(self, cell: Cell) -> Opened:
        """Build a cell on this side's ranks, so that ``burst`` can train its steps.

        The returned ``Opened`` has the cell's averaging period, the number of the first step that may be timed, and the
        software and hardware that the cell runs on.

        Raises:
            UnknownError: If this side's version of liecbench does not know an algorithm or an option of the cell.
        """
        # Bursts do not depend on ``timing``, and another version of liecbench may not know this version's values of it.
        spec = {**cell.spec(), "timing": "measured"}
        return self._ask(OpenCell(cell=spec), Opened)

    def burst(self, first: int, num_steps: int, added_seconds: Mapping[str, float] | None = None) -> BurstResult:
        """Train one untimed step and then ``num_steps`` timed steps of the open cell, and return the measurements.

        Args:
            first: The untimed step's number in the training. The timed steps have the next numbers.
            num_steps: The number of timed steps.
            added_seconds: Maps a step kind, such as ``averaging``, to the seconds by which each step of this kind is
                artificially slowed down. None or a missing kind means no slowdown.
        """
        return self._ask(TrainBurst(first=first, steps=num_steps, added_seconds=dict(added_seconds or {})), BurstResult)

    def close_cell(self) -> None:
        """Close the open cell, so that another one can be opened."""
        self._ask(CloseCell(), Closed)

    def _ask(self, order: PairedOrder, answer: type[A]) -> A:
        send(self._orders, order)
        return self._wait_for(answer)

    def _wait_for(self, answer: type[A]) -> A:
        try:
            for event in self._events:
                if isinstance(event, answer):
                    return event
                match event:
                    case Failed():
                        raise LostError(f"{self.side.name} ({self.side.label}): {event.reason}")
                    case Unknown():
                        raise UnknownError(f"{self.side.name} ({self.side.label}): {event.reason}")
                    case Lost():
                        self._lost.append(event)
        except StalledError as stalled:
            raise LostError(self._why(f"no answer for {stalled.seconds:.0f} s")) from None
        else:
            self._ranks.outcome()  # if the process that ranks are forked from has died, this writes why to the log
        raise LostError(self._why(""))

    def _why(self, otherwise: str) -> str:
        reason = first_lost(self._lost) or otherwise
        first = f": {reason}" if reason else ""
        return f"{self.side.name} ({self.side.label}) was lost{first}\n{log_tail(self._log)}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        os.close(self._orders)
