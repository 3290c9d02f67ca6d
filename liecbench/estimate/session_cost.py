"""Estimate the seconds of a timing session, which times several methods in turns, round after round."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from liecbench.config.cell import Cell
from liecbench.config.factory import make_algorithm
from liecbench.config.jobs import Session
from liecbench.config.training_schedule import minibatches_per_step
from liecbench.estimate.cost import CELL_SECONDS, LINK_SECONDS, compute_seconds, step_seconds
from liecbench.estimate.machine_speed import shared_cores_slowdown
from liecbench.estimate.machine_speed import slowdown as machine_slowdown
from liecbench.estimate.planned_bytes import StepTraffic, traffic
from liecbench.estimate.wire_time import wire_seconds
from liecbench.network.slowdown import Slowdown
from liecbench.worker.session_rounds import (
    COMPUTE_SECONDS,
    CONTESTANT_SECONDS,
    MIN_ROUNDS,
    PLACEMENT_ROUNDS,
    burst_steps,
)

# The number of rounds that a session whose ranks compute usually takes until its speed-ups are precise enough.
_USUAL_ROUNDS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCost:
    """The expected work and seconds of a timing session.

    Attributes:
        rounds: The number of rounds; in a round, each method is timed once.
        setup_seconds: Seconds before the first round, such as to measure a profile and the link.
        placement_seconds: Seconds to create all methods, which happens once per two rounds.
        round_seconds: Seconds of a round.
        steps: The number of steps in a round, by the id of the method's cell and then by step kind.
        slowdown: The factors by which times are longer, and messages smaller, in a replay; None if ranks compute.
        source: The origin, in words, of the profile that ranks replay; None if ranks compute.
        assumes_compute: True if no profile says how long a step computes.
    """

    rounds: int
    setup_seconds: float
    placement_seconds: float
    round_seconds: float
    steps: Mapping[str, Mapping[str, int]]
    slowdown: Slowdown | None = None
    source: str | None = None
    assumes_compute: bool = False

    @property
    def seconds(self) -> float:
        """The expected seconds of the session: the setup, all rounds, and creating the methods once per two rounds."""
        placements = -(-self.rounds // PLACEMENT_ROUNDS)
        return self.setup_seconds + placements * self.placement_seconds + self.rounds * self.round_seconds


def session_limit(session: Session) -> float:
    """Return the time limit of a timing session, in seconds.

    The limit is ``CONTESTANT_SECONDS`` per method, plus ``LINK_SECONDS`` if the links are shaped. Every session has at
    least ``MIN_ROUNDS`` rounds, so a session on very slow links may exceed the limit.
    """
    return (LINK_SECONDS if session.cell.link.shaped else 0.0) + CONTESTANT_SECONDS * len(session.contestants)


def rounds_within_limit(session: Session, wanted: int, placement_seconds: float, round_seconds: float) -> int:
    """Return the number of rounds of a session: ``wanted``, or fewer if the session's time limit is too short.

    The number is at least ``MIN_ROUNDS``. A round takes ``round_seconds``, and each placement (a group of
    ``PLACEMENT_ROUNDS`` rounds) takes another ``placement_seconds``.
    """
    each = round_seconds + placement_seconds / PLACEMENT_ROUNDS
    limit = CONTESTANT_SECONDS * len(session.contestants)
    return max(MIN_ROUNDS, min(wanted, int(limit / each)))


def computing_session(session: Session, minibatch_seconds: Callable[[Cell], float] | None = None) -> SessionCost:
    """Return the cost of a session whose ranks compute, instead of replaying a profile.

    Args:
        session: The session.
        minibatch_seconds: Returns the seconds per minibatch of a training of a cell's model with links lifted. None:
            measure briefly how long this machine computes and compresses, and how busy it is.
    """
    cells = [contestant.cell for contestant in session.contestants]
    steps = {cell.id: _steps(cell, minibatch_seconds) for cell in cells}
    lengths = {id_: {name: burst_steps(one) for name, one in kinds.items()} for id_, kinds in steps.items()}
    alone = {_compute_seconds(cell, minibatch_seconds) for cell in cells}
    seconds = sum(max(COMPUTE_SECONDS, one) for one in alone)
    for id_, kinds in steps.items():
        seconds += sum((lengths[id_][name] + 1) * one for name, one in kinds.items())
    slower = machine_slowdown if minibatch_seconds is None else shared_cores_slowdown
    creation = sum(slower(cell) * CELL_SECONDS for cell in cells)
    return SessionCost(
        rounds=rounds_within_limit(session, _USUAL_ROUNDS, creation, seconds),
        setup_seconds=LINK_SECONDS if session.cell.link.shaped else 0.0,
        placement_seconds=creation,
        round_seconds=seconds,
        steps={id_: {name: steps + 1 for name, steps in kinds.items()} for id_, kinds in lengths.items()},
        assumes_compute=True,
    )


def _steps(cell: Cell, minibatch_seconds: Callable[[Cell], float] | None) -> dict[str, float]:
    """Return the estimated seconds of one step, by step kind; ``computing_session`` has the arguments."""

    def seconds(kind: StepTraffic) -> float:
        if minibatch_seconds is None:
            return step_seconds(cell, kind)
        return _compute_seconds(cell, minibatch_seconds) + wire_seconds(cell, kind)

    return {name: seconds(kind) for name, kind in traffic(cell).items()}


def _compute_seconds(cell: Cell, minibatch_seconds: Callable[[Cell], float] | None) -> float:
    if minibatch_seconds is None:
        return compute_seconds(cell)
    return minibatches_per_step(cell, make_algorithm(cell)) * minibatch_seconds(cell)
