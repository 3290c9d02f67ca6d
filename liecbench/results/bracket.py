"""The range of measured link rates that contains a break-even, the rate at which two methods are equally fast."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from liecbench.results.ratio_interval import LogRatio
from liecbench.results.statistics import holm

BreakEvenOutcome = Literal["always", "never", "below", "above", "alternating", "unclear"]
_LEVEL: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """The range of link rates that contains a method's break-even, from its speed-ups at several rates.

    At each rate, a test shows the method to be faster than the baseline (+), slower (−), or neither (0). The tests are
    Holm-adjusted over the rates.

    Attributes:
        outcome: How the method compares with the baseline. In the examples, three signs stand for a low, a middle and a
            high rate. ``below``: faster at low rates, slower at high rates, or both, as in ++0, 0−− and +0−. ``above``:
            slower at low rates, faster at high rates, or both, as in −−0, 0++ and −0+. ``always``: faster, as in +0+
            and 0+0. ``never``: slower, as in −0− and 0−0. ``alternating``: more than one change, as in +−+.
            ``unclear``: no difference is shown, 000.
        low: The highest rate that is shown to lie below the break-even, in bits per second. None if no rate is shown to
            lie there, or if ``outcome`` is neither ``below`` nor ``above``.
        high: The lowest rate that is shown to lie above the break-even, in bits per second. None as for ``low``.
        num_inside: The number of measured rates above ``low`` and below ``high`` at which no difference is shown. An
            end that is None does not limit the count.
    """

    outcome: BreakEvenOutcome
    low: int | None
    high: int | None
    num_inside: int


def bracket_of(points: Sequence[tuple[int, LogRatio | None]]) -> Bracket:
    """Return the range of link rates that contains a method's break-even, given the method's speed-ups.

    Args:
        points: Each measured link rate in bits per second, lowest first, with ln(seconds of the baseline ÷ seconds of
            the method). The logarithm is None if the method and the baseline cannot be ranked at this rate, because
            other processes disturbed the runs.
    """
    signs = _signs([ratio for _, ratio in points])
    rates = [rate for rate, _ in points]
    shown = [(index, sign) for index, sign in enumerate(signs) if sign]
    changes = [sign for sign, _ in itertools.groupby(sign for _, sign in shown)]
    open_rates = len(rates) - len(shown)
    if not changes or len(changes) > 2:
        return Bracket(outcome="alternating" if changes else "unclear", low=None, high=None, num_inside=open_rates)
    first, last = shown[0], shown[-1]
    if len(changes) == 2:
        below = max(index for index, sign in shown if sign == changes[0])
        above = min(index for index, sign in shown if sign == changes[1])
        outcome: BreakEvenOutcome = "below" if changes[0] > 0 else "above"
        return Bracket(outcome=outcome, low=rates[below], high=rates[above], num_inside=above - below - 1)
    # If only one end of the rates shows no difference, the break-even may lie there.
    faster = changes[0] > 0
    if last[0] < len(rates) - 1 and first[0] == 0:
        outcome = "below" if faster else "above"
        return Bracket(outcome=outcome, low=rates[last[0]], high=None, num_inside=len(rates) - 1 - last[0])
    if first[0] > 0 and last[0] == len(rates) - 1:
        outcome = "above" if faster else "below"
        return Bracket(outcome=outcome, low=None, high=rates[first[0]], num_inside=first[0])
    return Bracket(outcome="always" if faster else "never", low=None, high=None, num_inside=open_rates)


def _signs(ratios: Sequence[LogRatio | None]) -> list[int]:
    """Return one number per ratio: 1 if the method is shown to be faster than the baseline, −1 if slower, else 0."""
    p_values = holm([1.0 if ratio is None else ratio.p_value for ratio in ratios])
    return [
        0 if ratio is None or p_value > _LEVEL else 1 if ratio.mean > 0 else -1
        for ratio, p_value in zip(ratios, p_values, strict=True)
    ]
