"""The two sides of a paired comparison: the interpreter of each, and its ranks, which stay and wait for orders."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self, TypeVar

from liecbench.config.cell import Cell, Job
from liecbench.launch.channel import RefusedError, StalledError, send, write_plan
from liecbench.launch.launch import REFUSED_REMEDY, Launch
from liecbench.launch.messages import (
    BurstResult,
    CloseCell,
    Closed,
    Event,
    Failed,
    Lost,
    OpenCell,
    Opened,
    PairedOrder,
    PairedPlan,
    Ready,
    TrainBurst,
    Unknown,
)
from liecbench.launch.torchrun import Ranks, Torchrun, log_tail, without_namespaces

A = TypeVar("A", bound=Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Side A or B of a comparison.

    Attributes:
        label: its name for people.
        python: its interpreter.
        variables: added to the environment of its processes.
        share_gpus: let several NCCL ranks share a GPU.
    """

    name: Literal["A", "B"]
    label: str
    python: str
    variables: Mapping[str, str] = field(default_factory=dict)
    share_gpus: bool = False


class LostError(Exception):
    """The ranks of a side are gone, or the cell that they had open failed; the message says why."""


class UnknownError(LostError):
    """The version of a side lacks something that a cell names."""


class StartError(LostError):
    """The ranks of a side never started: none of its cells can be tried."""


class ResidentSide:
    """The ranks of one side, resident while cells that share a launch are timed; they do nothing without an order.

    Every method raises LostError if the ranks cannot go on, MachineError if the kernel refuses the links they need.
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
        )
        self._plan, fifo = directory / f"{side.name}.json", directory / f"{side.name}.orders"
        os.mkfifo(fifo, 0o600)
        settings = dataclasses.asdict(launch.settings)
        write_plan(self._plan, PairedPlan(orders=str(fifo.resolve()), paced=launch.paced, **settings))
        # Both ends are open here: no order is lost, and opening the pipe waits for nobody.
        self._orders = os.open(fifo, os.O_RDWR | os.O_CLOEXEC)
        self._stall_timeout = stall_timeout
        self._stack = contextlib.ExitStack()
        self._reasons: list[str] = []

    def start(self) -> None:
        """Start the ranks without waiting for them."""
        self._launch(isolate=True)

    def wait(self) -> None:
        """Wait until the ranks are ready.

        Raises:
            StartError: if they are lost.
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
        self._events: Iterator[Event] = self._stack.enter_context(ranks).events

    def open(self, cell: Cell) -> Opened:
        """Build a cell.

        Raises:
            UnknownError: if this side's version lacks something that the cell names.
        """
        return self._ask(OpenCell(cell=cell.spec()), Opened)

    def burst(self, first: int, num_steps: int, added_seconds: Mapping[str, float] | None = None) -> BurstResult:
        """Train step ``first``, which is not timed, and ``num_steps`` timed ones.

        Args:
            first: number of the step.
            num_steps: steps to time.
            added_seconds: seconds by which each step of a kind is prolonged.
        """
        return self._ask(TrainBurst(first=first, steps=num_steps, added_seconds=dict(added_seconds or {})), BurstResult)

    def close_cell(self) -> None:
        """End the cell; another one may be opened."""
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
                        self._reasons.append(event.reason.partition("\n")[0])
        except StalledError as stalled:
            self._reasons.append(f"no answer for {stalled.seconds:.0f} s")
        raise LostError(self._why())

    def _why(self) -> str:
        first = f": {self._reasons[0]}" if self._reasons else ""
        return f"{self.side.name} ({self.side.label}) was lost{first}\n{log_tail(self._log)}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        os.close(self._orders)
