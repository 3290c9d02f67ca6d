"""Estimate the seconds of a run's timing sessions before their first rounds, without measuring anything for it.

The dry run's estimate needs the time of a forward and backward pass, which it measures if no profile has it. During a
run, finished epochs tell this time instead.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from liecbench.config.cell import Cell
from liecbench.config.factory import make_algorithm
from liecbench.config.jobs import Session
from liecbench.config.training_schedule import minibatches_per_step
from liecbench.errors import LiecbenchError
from liecbench.estimate.expected_profile import ExpectedProfiles
from liecbench.estimate.machine_speed import shared_cores_slowdown
from liecbench.estimate.planned_bytes import traffic
from liecbench.estimate.run_cost import session_cost
from liecbench.estimate.session_cost import session_limit

# An epoch that is faster than this share of the fastest one before changes the estimate.
_FASTER: Final = 0.9


class SessionTimes:
    """The expected seconds of a run's timing sessions, from profiles and from the times of finished epochs.

    Args:
        sessions: The sessions, in the order in which they run.
        directory: The results directory, in which earlier sessions may have stored profiles.
    """

    def __init__(self, sessions: Sequence[Session], directory: Path) -> None:
        self._sessions, self._directory = sessions, directory
        self._minibatch_seconds: dict[str, float] = {}

    def learn(self, cell: Cell, seconds: float) -> bool:
        """Note that an epoch of a training with links lifted took ``seconds``. Return True if that tells something new.

        It does if the epoch is the first of this model and this number of workers, or at least 10 % faster than those
        before, because the first epoch also warms up. It does not if there are no sessions.
        """
        if not self._sessions:
            return False
        num_steps = sum(kind.count for kind in traffic(cell).values()) / cell.task.epochs
        found = seconds / num_steps / minibatches_per_step(cell, make_algorithm(cell))
        if found > _FASTER * self._minibatch_seconds.get(_workload(cell), math.inf):
            return False
        self._minibatch_seconds[_workload(cell)] = found
        return True

    def seconds(self) -> dict[str, float]:
        """Return the expected seconds of each session, by ``Cell.setting``.

        If neither a profile nor an epoch tells how long steps compute, the seconds are the session's time limit.
        """
        profiles = ExpectedProfiles(self._directory, pass_seconds=self._pass_seconds)
        return {session.cell.setting: self._seconds_of(session, profiles) for session in self._sessions}

    def _seconds_of(self, session: Session, profiles: ExpectedProfiles) -> float:
        limit = session_limit(session)
        try:
            cost = session_cost(session, profiles, self._known_seconds)
        except LiecbenchError:
            return limit  # the session will tell what is wrong
        is_known = not cost.assumes_compute or _workload(session.cell) in self._minibatch_seconds
        return cost.seconds if is_known else limit

    def _known_seconds(self, cell: Cell) -> float:
        return self._minibatch_seconds.get(_workload(cell), 0.0)

    def _pass_seconds(self, cell: Cell) -> float:
        """Return the seconds of a forward and backward pass on a rank that shares its processor with no other."""
        return self._known_seconds(cell) / shared_cores_slowdown(cell)


def _workload(cell: Cell) -> str:
    """Return a key that is equal for cells whose ranks compute equally long for a minibatch."""
    task = cell.task
    return f"{cell.workers} {cell.threads} {task.model!r} {task.dataset!r} {task.batch_size} {task.precision}"
