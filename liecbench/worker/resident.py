"""A contestant of a timing session on one rank.

A timing session keeps several methods (the contestants) in memory. The contestants take turns. In a turn, bursts of
consecutive steps of one contestant are timed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from liecbench.config.cell import Cell
from liecbench.config.jobs import Contestant
from liecbench.results.timing_record import Timing
from liecbench.worker.burst_record import Turn, burst_record
from liecbench.worker.cell_setup import set_up
from liecbench.worker.replica import Replica, TrainingLink
from liecbench.worker.session_rounds import burst_steps
from liecbench.worker.step_shares import StepShare, shares_of
from liecbench.worker.step_timing import Burst, time_burst
from liecbench.worker.timeline import Timeline, traced_steps

_PROBE_STEPS = 2
_MAX_TRACED_STEPS = 200
_SLOWER_LEARNING = 0.1


@dataclass(slots=True, kw_only=True)
class Resident:
    """A contestant (a method that a timing session times), built on this rank and ready to train.

    ``create``, ``turn``, ``trace`` and ``close`` are collective.

    Attributes:
        contestant: The method to time, as a cell (one configuration with one seed).
        replica: The contestant's model, optimizer, algorithm and data on this rank.
        shares: By step kind, the index of the kind's first step, from 0, and the kind's fraction of all steps.
        num_steps: By step kind, the number of timed steps in the next burst (a series of consecutive steps).
    """

    contestant: Contestant
    replica: Replica
    shares: dict[str, StepShare]
    num_steps: dict[str, int] = field(default_factory=dict)

    @classmethod
    def create(cls, contestant: Contestant, link: TrainingLink, heartbeat: Callable[[], None]) -> "Resident":
        """Return the contestant, with its model, optimizer, algorithm and data built on this rank. Collective.

        Args:
            contestant: The method to time.
            link: This rank's link.
            heartbeat: Called to signal that this rank makes progress.

        Raises:
            DataError: If the training or test data differ between ranks.
            NonFiniteError: If a gradient is not finite in the warm-up steps, which run only on a GPU.
        """
        replica = set_up(_for_timing(contestant.cell), link, heartbeat)
        shares = shares_of(replica.algorithm, len(replica.step_kinds))
        return cls(contestant=contestant, replica=replica, shares=shares)

    def turn(self, place: Turn) -> Iterator[Timing]:
        """Time each step kind of the method once, and yield one record per kind, equal on every rank.

        Each kind is timed in a burst (consecutive steps) of its own. If messages of the method are in flight while
        later steps compute, one burst has steps of all kinds, and each record has the times of this burst.

        Args:
            place: The position of these measurements in the timing session, such as the round's number.

        Raises:
            NonFiniteError: If a gradient is not finite.
            LinkError: If a network interface carried fewer bytes than the payload.
        """
        if self.replica.algorithm.overlapped_steps:
            yield from self._whole_periods(place)
            return
        for kind, share in self.shares.items():
            if kind not in self.num_steps:
                self._choose_steps(kind, time_burst(self.replica, share.first, _PROBE_STEPS, repeat=True))
            burst = time_burst(self.replica, share.first, self.num_steps[kind], repeat=True)
            self._choose_steps(kind, burst)
            yield burst_record(burst, place, kind, share.share)

    def trace(self, path: Path) -> str | None:
        """Train a few steps, and write their timeline to ``path`` on rank 0. Collective.

        Return an error message on rank 0 if the timeline cannot be written; otherwise return None.
        """
        replica = self.replica
        overlapped = replica.algorithm.overlapped_steps
        last = min(_MAX_TRACED_STEPS, max([8, *(share.first + 2 + overlapped for share in self.shares.values())]))
        steps = traced_steps(replica.algorithm.step_kind, 0, last, overlapped=overlapped)
        timeline = Timeline(replica.algorithm.tracer, replica.algorithm.complete_spans, steps, path)
        time_burst(replica, 0, max(steps), timeline=timeline)
        return timeline.epoch_ended(max(steps))

    def close(self) -> None:
        """End the algorithm's thread and process group. Collective."""
        self.replica.close()

    def _whole_periods(self, place: Turn) -> Iterator[Timing]:
        """Time one burst of whole averaging periods in the turn ``place``, and yield one record per step kind.

        Each record has the times of the whole burst. Only the kind's name (``kind``) and the kind's share of all steps
        (``kind_share``) differ between the records. Step kinds cannot be timed separately, because the messages of some
        steps are still in flight while later steps compute.
        """
        period = getattr(self.replica.algorithm, "average_period", 1)
        first, kinds = period - 1, list(self.shares)
        if not self.num_steps:
            self._choose_steps(kinds[0], time_burst(self.replica, first, period))
        num_periods = -(-self.num_steps[kinds[0]] // period)
        burst = time_burst(self.replica, first, num_periods * period)
        self._choose_steps(kinds[0], burst)
        for kind, share in self.shares.items():
            # The last step of a period, which is not timed, sends nothing, because no fragment is left to send.
            yield burst_record(burst, place, kind, share.share, untimed_sends=False)

    def _choose_steps(self, kind: str, burst: Burst) -> None:
        self.num_steps[kind] = burst_steps(burst.slowest.train_seconds / burst.num_steps)


def _for_timing(cell: Cell) -> Cell:
    """Return the cell with a smaller, constant learning rate, so that training does not diverge while steps are timed.

    Training might diverge because timing repeats steps of one kind, such as averaging steps, far more often than
    training does. The time of a step does not depend on the learning rate.
    """
    task = {"learning_rate": _SLOWER_LEARNING * cell.task.learning_rate, "schedule": None}
    return cell.model_copy(update={"task": cell.task.model_copy(update=task)})
