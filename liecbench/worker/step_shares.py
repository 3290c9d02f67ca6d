"""The share of each step kind among a method's steps in the long run.

Steps of one kind have equal message sizes. Steps are timed kind by kind, and the shares weight the times of the kinds.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from liecbench.algorithms.base import Algorithm

# Steps are counted in a window of whole periods with at least this many steps. At least as many before it are skipped.
_WINDOW: Final = 2000
# If the period is longer, the averaging steps that end a period are too rare to matter.
_MAX_PERIOD: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShare:
    """A step kind, which is a set of steps with equal message sizes, such as the averaging steps.

    ``first`` is the number of the first step of this kind in the training. ``share`` is the fraction of all steps that
    are of this kind in the long run.
    """

    first: int
    share: float


def shares_of(algorithm: "Algorithm", num_steps: int) -> dict[str, StepShare]:
    """Return the first step and the share of each step kind of a method, by the kind's name, such as ``averaging``.

    A share is the fraction of all steps that are of the kind in the long run. ``num_steps`` is the number of steps of
    the training.
    """
    period = getattr(algorithm, "average_period", 1)
    return step_shares(algorithm.step_kind, period, num_steps, start=algorithm.start_up_steps)


def step_shares(
    step_kind: Callable[[int], str], period: int, num_steps: int, *, start: int = 0
) -> dict[str, StepShare]:
    """Return the first step and the share of each step kind of a training, by the kind's name, such as ``averaging``.

    A kind's share is its fraction of all steps in the long run. A kind that occurs only at the start has the share 0.

    A kind that first occurs after the training is included too, at least if ``period`` is at most 100,000. The
    ``first`` of such a kind is one of its steps, but may not be the earliest.

    Args:
        step_kind: Returns the kind of the step with a given number.
        period: The number of steps after which the kinds repeat, such as the averaging period.
        num_steps: The number of steps of the training.
        start: The number of steps at the start of the training, such as a warm-up, that do not count in the shares.
    """
    period = period if period <= _MAX_PERIOD else 1
    length = period * -(-_WINDOW // period)
    first = period * -(-max(_WINDOW, start) // period)
    window = range(first, first + length)
    counts = Counter(map(step_kind, window))
    found = {}
    for number in (*range(max(num_steps, start)), *window):
        kind = step_kind(number)
        if kind not in found:
            found[kind] = StepShare(first=number, share=counts[kind] / length)
    return found
