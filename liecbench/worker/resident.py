"""A contestant of a timing session, created on this rank: its replica, and the bursts of its turns."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from liecbench.config.cell import Cell, Contestant
from liecbench.results.records import Timing
from liecbench.worker.burst_record import Turn, burst_record
from liecbench.worker.cell_setup import set_up
from liecbench.worker.replica import Replica, TrainingLink
from liecbench.worker.session_rounds import burst_steps
from liecbench.worker.step_shares import StepShare, step_shares
from liecbench.worker.step_timing import Burst, time_burst
from liecbench.worker.timeline import Timeline, traced_steps

_PROBE_STEPS = 2
_MAX_TRACED_STEPS = 200
_SLOWER_LEARNING = 0.1


@dataclass(slots=True, kw_only=True)
class Resident:
    """A contestant in memory; turns are collective.

    Attributes:
        contestant: The contestant.
        replica: Its model, optimizer and algorithm.
        shares: Its step kinds.
        num_steps: The number of timed steps of the next burst of each kind.
    """

    contestant: Contestant
    replica: Replica
    shares: dict[str, StepShare]
    num_steps: dict[str, int] = field(default_factory=dict)

    @classmethod
    def create(cls, contestant: Contestant, link: TrainingLink, heartbeat: Callable[[], None]) -> "Resident":
        """Build the contestant on this rank. Collective.

        Raises:
            DataError: If the data differ between ranks.
            NonFiniteError: If a rehearsal step on a GPU diverges.
        """
        replica = set_up(_for_timing(contestant.cell), link, heartbeat)
        algorithm = replica.algorithm
        period = getattr(algorithm, "average_period", 1)
        shares = step_shares(algorithm.step_kind, period, len(replica.step_kinds))
        return cls(contestant=contestant, replica=replica, shares=shares)

    def turn(self, place: Turn) -> Iterator[Timing]:
        """Time a burst of each step kind, the same on every rank.

        Raises:
            NonFiniteError: If a gradient is not finite.
            LinkError: If a network interface carried less than the payload.
        """
        for kind, share in self.shares.items():
            if kind not in self.num_steps:
                self._choose_steps(kind, time_burst(self.replica, share.first, _PROBE_STEPS, repeat=True))
            burst = time_burst(self.replica, share.first, self.num_steps[kind], repeat=True)
            self._choose_steps(kind, burst)
            yield burst_record(burst, place, kind, share.share)

    def trace(self, path: Path) -> str | None:
        """Record a timeline of a few steps; return on rank 0 the reason if it cannot be written. Collective."""
        replica = self.replica
        last = min(_MAX_TRACED_STEPS, max([8, *(share.first + 2 for share in self.shares.values())]))
        steps = traced_steps(replica.algorithm.step_kind, 0, last)
        timeline = Timeline(replica.algorithm.tracer, replica.algorithm.synchronize, steps, path)
        time_burst(replica, 0, max(steps), timeline=timeline)
        return timeline.epoch_ended(max(steps))

    def close(self) -> None:
        """End the algorithm's thread and process group. Collective."""
        self.replica.close()

    def _choose_steps(self, kind: str, burst: Burst) -> None:
        self.num_steps[kind] = burst_steps(burst.slowest.train_seconds / burst.num_steps)


def _for_timing(cell: Cell) -> Cell:
    """Return the cell with a smaller, constant learning rate: far more steps of a kind come in a row than in training.

    A step's time does not depend on the learning rate.
    """
    task = {"learning_rate": _SLOWER_LEARNING * cell.task.learning_rate, "schedule": None}
    return cell.model_copy(update={"task": cell.task.model_copy(update=task)})
