"""The number of rounds that a timing session needs for precise speed-ups, within a time limit.

The number is estimated once, after ten rounds. In a round, each contestant (method to time) has one turn. In a turn,
the contestant trains one burst per step kind. A burst is a series of consecutive steps. A placement is a group of a few
rounds. Before each placement, all contestants are created again in memory.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from liecbench.results.ratio_interval import rounds_needed
from liecbench.results.round_seconds import by_placement, round_seconds
from liecbench.results.timing_record import Timing

# Contestants are created again after this many rounds, because times differ more between placements than within one.
PLACEMENT_ROUNDS: Final = 2
FIRST_ROUNDS: Final = 10
MAX_ROUNDS: Final = 60
# At least two placements are needed to estimate how much the times of placements differ.
MIN_ROUNDS: Final = 2 * PLACEMENT_ROUNDS
# The time limit of a session, per contestant. Only a session of ``MIN_ROUNDS`` rounds may take longer.
CONTESTANT_SECONDS: Final = 15.0

# In the same time, many short bursts know a speed-up better than few long ones, because the steps of one burst share
# their luck with the scheduler. Measured on 2 busy cores (load 5 to 9), for steps of 11 and 32 ms: bursts of 0.5 s and
# 5 steps gave half-widths of 21 to 32 % and 7 to 11 %, bursts of 0.15 s and 3 steps 11 to 13 % and 3 to 4 %.
BURST_SECONDS: Final = 0.15
BURST_STEPS: Final = 3
# A burst of slow steps is shortened to this time, but has at least two steps.
MAX_BURST_SECONDS: Final = 10.0
_MAX_BURST_STEPS: Final = 5000
# Before each round, computing alone is measured for this time, but at least for one step. This makes the rounds of five
# contestants 2 to 3 % longer.
COMPUTE_SECONDS: Final = 0.05


def burst_steps(step_seconds: float) -> int:
    """Return the number of timed steps in a burst (a series of consecutive steps), given the seconds of one step."""
    wanted = max(BURST_STEPS, math.ceil(BURST_SECONDS / max(step_seconds, BURST_SECONDS / _MAX_BURST_STEPS)))
    return min(wanted, max(2, math.floor(MAX_BURST_SECONDS / max(step_seconds, 1e-9))))


@dataclass(slots=True, kw_only=True)
class RoundPlan:
    """The number of rounds of a timing session; in a round, each method is timed once.

    The number of rounds that the wanted precision needs is estimated only once, from the first ``FIRST_ROUNDS`` rounds.
    If it were estimated after every round, sessions would end when rounds happen to agree, and intervals would be too
    narrow.

    Attributes:
        precision: The half-width that the 95 % interval of each speed-up should have, as a fraction of the speed-up.
    """

    precision: float
    _needed: int | None = field(default=None, init=False)

    def total(self, timings: Sequence[Timing], contestants: Sequence[str], *, rounds_done: int, seconds: float) -> int:
        """Return the total number of rounds that the session should have.

        Args:
            timings: The records of all bursts (series of timed steps) of the compared methods so far, also those of
                earlier sessions.
            contestants: The keys of the methods to time. The session measures the speed-up of every other method over
                the first.
            rounds_done: The number of rounds that this session has had; at least one.
            seconds: The seconds that these rounds took.
        """
        if self._needed is None and rounds_done >= FIRST_ROUNDS:
            reference, *rivals = contestants
            ratios = [log_ratios(timings, reference, rival) for rival in rivals]
            self._needed = session_rounds_needed(ratios, self.precision, rounds_done=rounds_done)
        limit = CONTESTANT_SECONDS * len(contestants)
        affordable = max(MIN_ROUNDS, int(rounds_done * limit / max(seconds, 1e-9)))
        return min(self._needed or FIRST_ROUNDS, affordable)


def session_rounds_needed(
    log_ratios: Iterable[Sequence[Sequence[float]]], precision: float, *, rounds_done: int
) -> int:
    """Return the number of rounds, ``rounds_done`` included, that a session needs to know speed-ups to ``precision``.

    Args:
        log_ratios: One item per two methods that are compared, such as ``[[0.10, 0.12], [0.11, 0.09]]``. An item has
            one list per placement (group of rounds), with ln(speed-up) of each round. The rounds of earlier sessions
            are included.
        precision: The wanted half-width of the 95 % intervals, as a fraction of the speed-up.
        rounds_done: The number of rounds that this session has had.
    """
    needed = [FIRST_ROUNDS]
    for ratios in log_ratios:
        earlier = sum(map(len, ratios)) - rounds_done
        needed.append(rounds_needed(ratios, precision, at_most=MAX_ROUNDS) - earlier)
    return max(needed)


def log_ratios(timings: Iterable[Timing], reference: str, other: str) -> list[list[float]]:
    """Return ln(step seconds of ``reference`` ÷ step seconds of ``other``) for each round that timed both methods.

    The outer list has one item per placement, a group of rounds before which all methods are created again in memory.
    The inner list has one value per round, in order. A method's step seconds are the mean over its step kinds, weighted
    by the share of each kind in a long training.

    Args:
        timings: The records of all bursts (series of timed steps) to use.
        reference: The key of one method, as in ``Timing.contestant``.
        other: The key of another method.
    """
    bursts = list(timings)
    seconds, others = _seconds_of(reference, bursts), _seconds_of(other, bursts)
    return by_placement({place: math.log(seconds[place] / others[place]) for place in seconds.keys() & others.keys()})


def _seconds_of(contestant: str, bursts: Iterable[Timing]) -> dict[tuple[int, int], float]:
    return round_seconds(burst for burst in bursts if burst.contestant == contestant)
