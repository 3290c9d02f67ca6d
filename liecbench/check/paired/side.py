"""The two sides of a comparison: which Python each has, and its ranks, which stay and wait for their turn."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from liecbench.config.cell import Cell, Job
from liecbench.launch.launch import REFUSED_REMEDY, Launch
from liecbench.launch.torchrun import Ranks, RefusedError, SilentError, Torchrun, log_tail, without_namespaces

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A or B: ``label`` is for people, ``python`` its interpreter, ``variables`` are added to its environment.

    To ``share_gpus`` is to let several NCCL ranks have one.
    """

    name: Literal["A", "B"]
    label: str
    python: str
    variables: Mapping[str, str] = field(default_factory=dict)
    share_gpus: bool = False


class LostError(Exception):
    """A side's ranks are gone, or the cell that they had open has failed, and why."""


class UnknownError(LostError):
    """A side's version does not know what a cell names."""


class StartError(LostError):
    """A side's ranks never came up: none of its cells can be tried."""


class Resident:
    """The ranks of one side for cells that share a launch; they do nothing until they are asked to.

    LostError where they cannot go on, MachineError where the kernel refuses the links that they need.
    """

    def __init__(
        self,
        side: Side,
        cells: Sequence[Cell],
        directory: Path,
        patience: Callable[[], float],
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
        )
        self._plan, fifo = directory / f"{side.name}.json", directory / f"{side.name}.orders"
        os.mkfifo(fifo, 0o600)
        self._plan.write_text(json.dumps({"orders": str(fifo.resolve()), **launch.meeting, "paced": launch.paced}))
        # Both ends are held here: no order is lost, and opening it waits for nobody.
        self._orders = os.open(fifo, os.O_RDWR | os.O_CLOEXEC)
        self._patience = patience
        self._stack = contextlib.ExitStack()
        self._said: list[str] = []

    def start(self) -> None:
        """Start the ranks, and wait for nothing."""
        self._launch(isolate=True)

    def wait(self) -> None:
        """Wait until the ranks are up; StartError where they are lost."""
        try:
            self._wait_for_ranks()
        except LostError as error:
            raise StartError(str(error)) from None

    def _wait_for_ranks(self) -> None:
        try:
            self._wait_for("up")
        except RefusedError as refused:
            self._say(without_namespaces(self._torchrun, refused, REFUSED_REMEDY))
            self._launch(isolate=False)
            self._wait_for("up")

    def _launch(self, *, isolate: bool) -> None:
        self._stack.close()
        ranks = Ranks(self._torchrun, self._plan, self._log, self._patience, isolate=isolate)
        self._events: Iterator[Answer] = self._stack.enter_context(ranks).events

    def open(self, cell: Cell) -> Answer:
        """Build a cell."""
        return self._ask({"do": "open", "cell": cell.spec()}, "opened")

    def burst(self, first: int, num_steps: int, added_seconds: Mapping[str, float] | None = None) -> Answer:
        """Train step ``first``, which does not count, and ``num_steps`` more, those of a kind drawn out by so much."""
        order = {"do": "burst", "first": first, "steps": num_steps, "added_seconds": added_seconds or {}}
        return self._ask(order, "burst")

    def close_cell(self) -> None:
        """End the cell; another one may be opened."""
        self._ask({"do": "close"}, "closed")

    def _ask(self, order: Answer, kind: str) -> Answer:
        os.write(self._orders, json.dumps(order).encode() + b"\n")
        return self._wait_for(kind)

    def _wait_for(self, kind: str) -> Answer:
        try:
            for event in self._events:
                match event["type"]:
                    case "failed":
                        raise LostError(f"{self.side.name} ({self.side.label}): {event['reason']}")
                    case "unknown":
                        raise UnknownError(f"{self.side.name} ({self.side.label}): {event['reason']}")
                    case "lost":
                        self._said.append(event["reason"].partition("\n")[0])
                    case found if found == kind:
                        return event
        except SilentError as silent:
            self._said.append(f"no answer for {silent.seconds:.0f} s")
        raise LostError(self._why())

    def _why(self) -> str:
        first = f": {self._said[0]}" if self._said else ""
        return f"{self.side.name} ({self.side.label}) was lost{first}\n{log_tail(self._log)}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        os.close(self._orders)
