"""Methods that a timing session times in a replay: ranks replay a profile instead of computing.

A method in a timing session is called a contestant.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch.distributed as dist

from liecbench.algorithms.comm.gloo import GlooTransport
from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.config.cell import Cell
from liecbench.config.jobs import Contestant
from liecbench.network.slowdown import Slowdown
from liecbench.profiles.profile import Profile
from liecbench.results.timing_record import Timing
from liecbench.worker.burst_record import Turn, burst_record
from liecbench.worker.cell_link import slowest_path
from liecbench.worker.replay.pauses import Pauses
from liecbench.worker.replay.replayed_all_reduces import ReplayedAllReduces
from liecbench.worker.replay.replayed_burst import replay_burst
from liecbench.worker.replay.replayed_exchange import ReplayedExchange
from liecbench.worker.replay.replayed_step import ReplayedStep
from liecbench.worker.replay.step_kinds import StepKind, step_kinds
from liecbench.worker.replay.work_seconds import compressor_times
from liecbench.worker.replica import TrainingLink
from liecbench.worker.session_rounds import BURST_SECONDS
from liecbench.worker.step_timing import Burst

_PROBE_STEPS = _FEWEST_STEPS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The things that all replayed contestants of a session have in common.

    Attributes:
        profile: The profile of the model.
        slowdown: Two factors: how many times slower the replay runs than the emulated training, and how many times
            smaller the messages are.
        link: This rank's link, with rates and delays scaled by the slowdown.
        heartbeat: Called to signal that this rank makes progress.
        num_steps: The number of steps of a contestant's next burst, by the id of the contestant's cell and by the kind
            of step, such as ``averaging``. A burst is a series of consecutive timed steps of one kind. After a burst,
            the number is updated.
    """

    profile: Profile
    slowdown: Slowdown
    link: TrainingLink
    heartbeat: Callable[[], None]
    # The numbers are kept for all placements, so that only the first placement needs extra bursts to find them.
    num_steps: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class ReplayedContestant:
    """A contestant, ready to be replayed on this rank. ``turn`` and ``probe`` are collective.

    Attributes:
        contestant: The method to time. ``contestant.cell`` is the cell whose steps are replayed.
        stage: The profile, slowdown and link, which all contestants of the session share.
        kinds: The method's step kinds by name, such as ``averaging``.
        steps: The step to replay for each step kind, by the kind's name.
    """

    contestant: Contestant
    stage: Stage
    kinds: dict[str, StepKind]
    steps: dict[str, ReplayedStep]

    @classmethod
    def create(cls, contestant: Contestant, stage: Stage, *, num_steps: int) -> "ReplayedContestant":
        """Return a contestant whose steps are ready to be replayed on this rank.

        Args:
            contestant: The method to time.
            stage: The profile, slowdown and link, which all contestants of the session share.
            num_steps: The number of steps of the training. A smaller number is allowed, but a step kind that does
                not occur in the first ``num_steps`` steps may then be missing.

        Raises:
            ProfileError: If the profile has no times for a compressor that the method uses.
        """
        kinds = step_kinds(contestant.cell, stage.profile, num_steps=num_steps)
        steps = {name: _step(contestant.cell, kind, stage) for name, kind in kinds.items()}
        return cls(contestant=contestant, stage=stage, kinds=kinds, steps=steps)

    @property
    def compute_step_seconds(self) -> float:
        """The seconds per step of the model's passes, clipping and the optimizer, according to the profile.

        Dilation is not included.
        """
        return next(iter(self.kinds.values())).work.compute

    def turn(self, place: Turn) -> Iterator[Timing]:
        """Replay and time a burst of each step kind, and yield a record of each burst, equal on every rank.

        A burst is a number of consecutive steps of one kind.

        Args:
            place: The position of this turn in the timing session, such as the round's number. The records store it.

        Raises:
            LinkError: If a network interface carried fewer bytes than the payload.
        """
        for name, kind in self.kinds.items():
            if name not in self._num_steps:
                self._burst(name, _PROBE_STEPS)
            burst = self._burst(name, self._num_steps[name])
            record = burst_record(burst, place, name, kind.share.share)
            record = dataclasses.replace(record, step_samples=self._step_samples(kind))
            yield _with_slowdown(record, self.stage.slowdown)

    def probe(self) -> list[Burst]:
        """Replay two steps of each step kind, and return one ``Burst`` per kind: the measurements of all ranks."""
        return [self._burst(name, _PROBE_STEPS) for name in self.kinds]

    def trace(self, path: Path) -> str | None:
        """Return an error message, because a replayed contestant computes nothing that a timeline could show."""
        return f"{path.name}: replayed steps have no timeline; use compute: measured for one"

    def close(self) -> None:
        """Do nothing: a replayed contestant has no thread and no process group of its own."""

    def _step_samples(self, kind: StepKind) -> int | None:
        """Return the samples of all ranks in a step, or None if they are unknown or the cell is trained.

        If the cell is trained, the records of its epochs have the samples.
        """
        cell, batch_size = self.contestant.cell, self.stage.profile.batch_size
        return None if cell.is_trained or batch_size is None else cell.workers * kind.batches * batch_size

    @property
    def _num_steps(self) -> dict[str, int]:
        return self.stage.num_steps.setdefault(self.contestant.cell.id, {})

    def _burst(self, name: str, num_steps: int) -> Burst:
        """Replay ``num_steps`` steps of the kind ``name``, and return their measurements.

        Also set ``self._num_steps[name]``, the number of steps of the next burst of this kind: as many as fill
        ``BURST_SECONDS``, but at least 2.
        """
        burst = replay_burst(
            self.steps[name], num_steps, self.stage.link, self.stage.heartbeat, self.stage.slowdown.message_divisor
        )
        real = self.stage.slowdown.dilation * burst.slowest.train_seconds / burst.num_steps
        # Replayed steps hardly vary, so that two are enough if they take long.
        self._num_steps[name] = max(_FEWEST_STEPS, math.ceil(BURST_SECONDS / real))
        return burst


def _with_slowdown(record: Timing, slowdown: Slowdown) -> Timing:
    if slowdown.dilation > 1:
        raw_seconds = record.seconds * slowdown.dilation
        record = dataclasses.replace(record, dilation=slowdown.dilation, raw_seconds=raw_seconds)
    return dataclasses.replace(record, message_divisor=slowdown.message_divisor)


def _step(cell: Cell, kind: StepKind, stage: Stage) -> ReplayedStep:
    group = dist.group.WORLD
    assert group is not None, "the ranks have joined"
    watch, pauses = Stopwatch(), Pauses(stage.slowdown.dilation)
    path = slowest_path(cell.link, cell.workers, stage.slowdown)
    transport = GlooTransport(group, kind.schedule.server or "sharded", watch, stage.link.pacer, path)
    hops = 2 * (cell.workers - 1)
    return ReplayedStep(
        schedule=kind.schedule,
        work=kind.work,
        times=tuple(compressor_times(stage.profile, call.compressor) for call in kind.schedule.calls),
        exchange=ReplayedExchange(
            rank=dist.get_rank(),
            schedule=kind.schedule,
            transport=transport,
            pauses=pauses,
            watch=watch,
            # A message costs its sender one half, and its receiver the other.
            extra_seconds=_undilated((stage.profile.message_seconds or 0.0) / 2, stage.slowdown.dilation),
            slowdown=stage.slowdown,
        ),
        all_reduces=ReplayedAllReduces(
            schedule=kind.schedule,
            group=group,
            watch=watch,
            pauses=pauses,
            extra_seconds=_undilated(hops * (stage.profile.hop_seconds or 0.0), stage.slowdown.dilation),
            slowdown=stage.slowdown,
        ),
        pauses=pauses,
        watch=watch,
    )


def _undilated(seconds: float, dilation: float) -> float:
    """Return the seconds to pass to ``Pauses.pause`` so that real work of ``seconds`` takes ``dilation`` times as long.

    Real work, such as sending a message, is done in a replay too, and takes ``seconds``. ``Pauses.pause`` sleeps for
    the passed seconds × ``dilation``. Work and pause together take ``seconds`` × ``dilation``.
    """
    return seconds * (dilation - 1) / dilation
