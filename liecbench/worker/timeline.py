"""A few steps of every rank as a Chrome trace, which Perfetto opens."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch.distributed as dist

from liecbench.algorithms.comm.timing import Span, Tracer

_FIRST_STEPS: Final = (1, 2, 3)
LANES: Final = ("training", "communication", "all-reduce")


def traced_steps(step_kind: Callable[[int], str], first: int, last: int) -> set[int]:
    """Of the steps from ``first`` to before ``last`` the second to fourth, and those around one of another kind."""
    other = next((step for step in range(first, last) if step_kind(step) != step_kind(first)), None)
    around = () if other is None else (other - 1, other, other + 1)
    return {step for step in (*(first + n for n in _FIRST_STEPS), *around) if first <= step < last}


@dataclass(slots=True)
class Timeline:
    """One rank's spans of some steps, by their numbers, and the file of all ranks'.

    ``settle`` makes sure that the ``tracer`` has those of a step.
    """

    tracer: Tracer
    settle: Callable[[], None]
    steps: set[int]
    path: Path
    _spans: list[tuple[int, Span]] = field(default_factory=list)

    def step_begins(self, step: int) -> None:
        """Trace it, if it is one of those."""
        self.tracer.enabled = step in self.steps

    def step_ended(self, step: int) -> None:
        """Keep its spans."""
        if self.tracer.enabled:
            self.settle()
            self._spans += [(step, span) for span in self.tracer.drain()]
            self.tracer.enabled = False

    def epoch_ended(self, last_step: int) -> str | None:
        """Write the file once the last of the steps is over; why that failed, on rank 0. Collective."""
        if not self.steps or max(self.steps) > last_step:
            return None
        self.steps = set()
        everyone: list[list[tuple[int, Span]]] = [self._spans] * dist.get_world_size()
        dist.all_gather_object(everyone, self._spans)
        self._spans = []
        return self._write(everyone) if dist.get_rank() == 0 else None

    def _write(self, everyone: list[list[tuple[int, Span]]]) -> str | None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(chrome_trace(everyone)), encoding="utf-8")
        except OSError as error:  # a timeline is not worth an epoch
            return f"no timeline: {self.path}: {error.strerror}"
        return None


def chrome_trace(ranks: list[list[tuple[int, Span]]]) -> dict[str, Any]:
    """Chrome's trace events: a process a rank, a thread a lane, microseconds from the first span.

    Ranks of one machine share a clock; those of several are not aligned.
    """
    zero = min((span.start for spans in ranks for _, span in spans), default=0.0)
    events: list[dict[str, Any]] = []
    for rank, spans in enumerate(ranks):
        events.append({"ph": "M", "name": "process_name", "pid": rank, "args": {"name": f"rank {rank}"}})
        for lane in sorted({span.track for _, span in spans}, key=LANES.index):
            number = LANES.index(lane)
            events.append({"ph": "M", "name": "thread_name", "pid": rank, "tid": number, "args": {"name": lane}})
        events += [
            {
                "ph": "X",
                "name": span.name,
                "cat": span.track,
                "pid": rank,
                "tid": LANES.index(span.track),
                "ts": 1e6 * (span.start - zero),
                "dur": 1e6 * (span.end - span.start),
                "args": {"step": step},
            }
            for step, span in sorted(spans, key=lambda pair: pair[1].start)
        ]
    return {"traceEvents": events, "displayTimeUnit": "ms"}
