"""The step kinds of a method: a step of each kind, and how often steps of the kind come in the long run."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# Whole periods are counted in a window of at least this many steps, which begins after as many steps.
_WINDOW: Final = 2000
# Steps of a longer period's averaging come too rarely to count.
_MAX_PERIOD: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShare:
    """One step kind: ``first`` is the number of a step of this kind, ``share`` is its share in the long run."""

    first: int
    share: float


def step_shares(step_kind: Callable[[int], str], period: int, num_steps: int) -> dict[str, StepShare]:
    """Return all step kinds that occur in training or in the long run.

    Args:
        step_kind: Returns the kind of a step by its number.
        period: The number of steps after which the kinds repeat, such as the averaging period.
        num_steps: The number of steps of the training.
    """
    period = period if period <= _MAX_PERIOD else 1
    length = period * -(-_WINDOW // period)
    counts = Counter(map(step_kind, range(length, 2 * length)))
    found = {}
    for number in (*range(num_steps), *range(length, 2 * length)):
        kind = step_kind(number)
        if kind not in found:
            found[kind] = StepShare(first=number, share=counts[kind] / length)
    return found
