"""A timeline of a few steps of every rank, as a Chrome trace that Perfetto opens."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch.distributed as dist

from liecbench.algorithms.comm.timing import Span, Tracer

_FIRST_STEPS: Final = (1, 2, 3)
TRACKS: Final = ("training", "communication", "all-reduce")


def traced_steps(step_kind: Callable[[int], str], first: int, last: int, *, overlapped: int = 0) -> set[int]:
    """Return the numbers of the steps to trace, all in ``range(first, last)``.

    The second, third and fourth step are traced. Also traced are the earliest step whose kind differs from the first
    step's, the step before it, and ``overlapped`` steps after it, but at least one.

    Args:
        step_kind: Returns the kind of the step with a given number.
        first: The number of the first step.
        last: The number of the last step + 1.
        overlapped: The number of later steps that compute while messages of a step are in flight.
    """
    other = next((step for step in range(first, last) if step_kind(step) != step_kind(first)), None)
    around = () if other is None else range(other - 1, other + max(1, overlapped) + 1)
    return {step for step in (*(first + n for n in _FIRST_STEPS), *around) if first <= step < last}


@dataclass(slots=True)
class Timeline:
    """A recorder of this rank's spans (timed pieces of work) in selected steps.

    After the last of these steps, rank 0 writes the spans of all ranks to one file.

    Attributes:
        tracer: The algorithm's tracer, which collects spans.
        synchronize: Waits until ``tracer`` has all spans of the steps so far.
        steps: Numbers of the steps to trace; empty once the file is written.
        path: The file to write.
    """

    tracer: Tracer
    synchronize: Callable[[], None]
    steps: set[int]
    path: Path
    _spans: list[tuple[int, Span]] = field(default_factory=list)

    def step_begins(self, step: int) -> None:
        """Start tracing if ``step`` is one of the steps to trace."""
        self.tracer.enabled = step in self.steps

    def step_ended(self, step: int) -> None:
        """Stop tracing, and keep the spans of the step if it was traced."""
        if self.tracer.enabled:
            self.synchronize()
            self._spans += [(step, span) for span in self.tracer.drain()]
            self.tracer.enabled = False

    def epoch_ended(self, last_step: int) -> str | None:
        """Write the spans of all ranks to the file if every step to trace has ended. Collective.

        Call this method after every epoch. Only the first call after the last traced step writes the file.

        Args:
            last_step: Number of the epoch's last step, counted from 0 over all epochs.

        Returns:
            An error message on rank 0 if the file cannot be written, otherwise None.
        """
        if not self.steps or max(self.steps) > last_step:
            return None
        self.steps = set()
        ranks: list[list[tuple[int, Span]]] = [self._spans] * dist.get_world_size()
        dist.all_gather_object(ranks, self._spans)
        self._spans = []
        return self._write(ranks) if dist.get_rank() == 0 else None

    def _write(self, ranks: list[list[tuple[int, Span]]]) -> str | None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(chrome_trace(ranks)), encoding="utf-8")
        except OSError as error:  # the epoch counts even if its timeline is lost
            return f"the timeline could not be written: {self.path}: {error.strerror}"
        return None


def chrome_trace(ranks: list[list[tuple[int, Span]]]) -> dict[str, Any]:
    """Return a Chrome trace: one process per rank, one thread per track, times in microseconds since the first span.

    Ranks on one machine share a clock; the clocks of different machines are not aligned.

    Args:
        ranks: For each rank, its spans as pairs of step number and span.
    """
    zero = min((span.start for spans in ranks for _, span in spans), default=0.0)
    events: list[dict[str, Any]] = []
    for rank, spans in enumerate(ranks):
        events.append({"ph": "M", "name": "process_name", "pid": rank, "args": {"name": f"rank {rank}"}})
        for track in sorted({span.track for _, span in spans}, key=TRACKS.index):
            number = TRACKS.index(track)
            events.append({"ph": "M", "name": "thread_name", "pid": rank, "tid": number, "args": {"name": track}})
        events += [
            {
                "ph": "X",
                "name": span.name,
                "cat": span.track,
                "pid": rank,
                "tid": TRACKS.index(span.track),
                "ts": 1e6 * (span.start - zero),
                "dur": 1e6 * (span.end - span.start),
                "args": {"step": step},
            }
            for step, span in sorted(spans, key=lambda pair: pair[1].start)
        ]
    return {"traceEvents": events, "displayTimeUnit": "ms"}
