"""Estimate the seconds of a timing session, which times several methods in turns, round after round."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from liecbench.config.cell import Cell
from liecbench.config.jobs import Session
from liecbench.estimate.cost import CELL_SECONDS, LINK_SECONDS, compute_seconds, step_seconds
from liecbench.estimate.machine_speed import slowdown as machine_slowdown
from liecbench.estimate.planned_bytes import traffic
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
    """

    rounds: int
    setup_seconds: float
    placement_seconds: float
    round_seconds: float
    steps: Mapping[str, Mapping[str, int]]
    slowdown: Slowdown | None = None
    source: str | None = None

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


def computing_session(session: Session) -> SessionCost:
    """Return the cost of a session whose ranks compute, instead of replaying a profile."""
    cells = [contestant.cell for contestant in session.contestants]
    lengths = {cell.id: burst_lengths(cell) for cell in cells}
    alone = {compute_seconds(cell) for cell in cells}
    seconds = sum(max(COMPUTE_SECONDS, one) for one in alone)
    for cell in cells:
        seconds += sum((lengths[cell.id][name] + 1) * step_seconds(cell, kind) for name, kind in traffic(cell).items())
    creation = sum(machine_slowdown(cell) * CELL_SECONDS for cell in cells)
    return SessionCost(
        rounds=rounds_within_limit(session, _USUAL_ROUNDS, creation, seconds),
        setup_seconds=LINK_SECONDS if session.cell.link.shaped else 0.0,
        placement_seconds=creation,
        round_seconds=seconds,
        steps={id_: {name: steps + 1 for name, steps in kinds.items()} for id_, kinds in lengths.items()},
    )


def burst_lengths(cell: Cell) -> dict[str, int]:
    """Return the estimated number of timed steps per burst, by step kind.

    A burst is a series of consecutive steps of one kind. The estimate is for a timing session whose ranks compute and
    do not replay a profile.
    """
    return {name: burst_steps(step_seconds(cell, kind)) for name, kind in traffic(cell).items()}
