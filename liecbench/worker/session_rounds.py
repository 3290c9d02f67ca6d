"""The number of rounds of a timing session: ten first, then as many as the speed-ups need, within a time limit."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from liecbench.results.ratio_interval import rounds_needed
from liecbench.results.records import Timing

# Contestants are created again after this many rounds: placements differ more than rounds do.
PLACEMENT_ROUNDS: Final = 2
FIRST_ROUNDS: Final = 10
MAX_ROUNDS: Final = 60
# Two placements are the least that tell how much placements differ.
MIN_ROUNDS: Final = 2 * PLACEMENT_ROUNDS
# The time limit of a session, for each of its contestants. Only the fewest rounds may take longer.
CONTESTANT_SECONDS: Final = 15.0

BURST_SECONDS: Final = 0.5
BURST_STEPS: Final = 5
# Bursts of slow steps are shortened to this, but not to fewer than two steps.
MAX_BURST_SECONDS: Final = 10.0
_MAX_BURST_STEPS: Final = 5000


def burst_steps(step_seconds: float) -> int:
    """Return the number of timed steps of a burst, given the seconds of one step."""
    wanted = max(BURST_STEPS, math.ceil(BURST_SECONDS / max(step_seconds, BURST_SECONDS / _MAX_BURST_STEPS)))
    return min(wanted, max(2, math.floor(MAX_BURST_SECONDS / max(step_seconds, 1e-9))))


def rounds_to_time(
    timings: Sequence[Timing],
    contestants: Sequence[str],
    precision: float,
    *,
    rounds_done: int,
    seconds: float,
    num_resident: int,
) -> int:
    """Return the number of rounds that a session is to have in total, given those that it has had.

    Args:
        timings: All bursts of the setting, also those of earlier sessions.
        contestants: The contestants' keys; the speed-ups of all others over the first are to be known.
        precision: The precision to which they are to be known.
        rounds_done: The rounds that this session has had; at least one.
        seconds: The seconds that these took.
        num_resident: The number of contestants that take turns.
    """
    affordable = max(MIN_ROUNDS, int(rounds_done * CONTESTANT_SECONDS * num_resident / max(seconds, 1e-9)))
    if rounds_done < FIRST_ROUNDS:
        return min(FIRST_ROUNDS, affordable)
    reference, *others = contestants
    wanted = [rounds_needed(log_ratios(timings, reference, other), precision, at_most=MAX_ROUNDS) for other in others]
    earlier = _num_rounds(timings, reference) - rounds_done
    return min(max([FIRST_ROUNDS, *(rounds - earlier for rounds in wanted)]), affordable)


def log_ratios(timings: Iterable[Timing], reference: str, other: str) -> list[list[float]]:
    """Return ln(seconds of a long-run step of ``reference`` ÷ those of ``other``), by placement, in order of rounds."""
    bursts = list(timings)
    seconds, others = _step_seconds(bursts, reference), _step_seconds(bursts, other)
    placements: dict[int, list[float]] = {}
    for placement, number in sorted(seconds.keys() & others.keys()):
        ratio = math.log(seconds[placement, number] / others[placement, number])
        placements.setdefault(placement, []).append(ratio)
    return list(placements.values())


def _step_seconds(timings: Iterable[Timing], contestant: str) -> dict[tuple[int, int], float]:
    """Return the seconds of a contestant's long-run step by placement and round, where every kind was timed."""
    found: dict[tuple[int, int], dict[str, Timing]] = {}
    for timing in timings:
        if timing.contestant == contestant:
            found.setdefault((timing.placement, timing.round), {})[timing.kind] = timing
    num_kinds = max((len(kinds) for kinds in found.values()), default=0)
    return {
        place: math.fsum(timing.kind_share * timing.seconds / timing.steps for timing in kinds.values())
        for place, kinds in found.items()
        if len(kinds) == num_kinds
    }


def _num_rounds(timings: Iterable[Timing], contestant: str) -> int:
    return len(_step_seconds(timings, contestant))
