"""One method's seconds per step, for each round of a timing session.

In a round, every method has one turn, in which bursts of each of the method's step kinds are timed. Before each group
of rounds, called a placement, all methods' models and buffers are created again.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Literal, TypeVar

from liecbench.results.timing_record import Timing

# The position of a round: the number of its placement (or results directory and placement), and its number within that.
Position = TypeVar("Position", bound=tuple[int | str, ...])


def round_seconds(
    timings: Iterable[Timing], part: Literal["seconds", "compute_seconds"] = "seconds"
) -> dict[tuple[int, int], float]:
    """Return a method's mean seconds per step in each round. The keys are (placement, round in the placement).

    A placement is a group of rounds, before which all models and buffers are created again. The mean weights each step
    kind, such as averaging steps, by the kind's share in a long training. A round is left out if the session was
    interrupted before all step kinds were timed.

    Args:
        timings: The bursts (series of consecutive timed steps) of the method.
        part: The field of ``Timing`` to average: all seconds, or compute seconds only.
    """
    found: dict[tuple[int, int], dict[str, Timing]] = {}
    for timing in timings:
        found.setdefault((timing.placement, timing.round), {})[timing.kind] = timing
    num_kinds = max((len(kinds) for kinds in found.values()), default=0)
    return {
        place: math.fsum(timing.kind_share * getattr(timing, part) / timing.steps for timing in kinds.values())
        for place, kinds in found.items()
        if len(kinds) == num_kinds
    }


def by_placement(values: Mapping[Position, float]) -> list[list[float]]:
    """Return, for each placement (group of rounds), the values of its rounds in order.

    Args:
        values: The value of each round, by (placement, round).
    """
    placements: dict[tuple[int | str, ...], list[float]] = {}
    for place, value in sorted(values.items()):
        placements.setdefault(place[:-1], []).append(value)
    return list(placements.values())
