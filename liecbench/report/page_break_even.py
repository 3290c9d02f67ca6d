"""For each method, the link rates at which it is faster or slower than the baseline, for the report page."""

import math
from dataclasses import dataclass
from typing import Final, Literal

from liecbench.report.figures.colours import Palette
from liecbench.results.accuracy_verdict import AccuracyOutcome, AccuracyVerdict
from liecbench.results.break_even import BreakEven
from liecbench.results.break_even_words import break_even_text, method_name
from liecbench.results.comparison import Comparison
from liecbench.results.whose_compute import whose_compute

Zone = Literal["faster", "open", "slower"]
_MEANINGS: Final[dict[Zone, str]] = {
    "faster": "blue: shown to be faster",
    "open": "hatched: the break-even lies here, or no difference is shown",
    "slower": "grey: shown to be slower",
}

_WORST_FIRST: Final = ("lost", "not_shown", "kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """The break-even of one method, drawn as one bar along an axis of link rates.

    Attributes:
        method: The method's name with its setting, but without the link rate.
        colour: The method's colour in all figures.
        text: A phrase that follows the method's name, such as ``faster than psgd below a rate between 20mbit and
            24mbit``.
        accuracy: The verdict on whether the method keeps the baseline's accuracy: ``kept``, ``not_shown`` or ``lost``.
            Of the verdicts at the scenario's link rates, the worst counts. For language models, the verdict is on the
            test loss. None if there is no verdict.
        quality: The verdict of ``accuracy`` in words, such as ``accuracy lost``; empty if there is no verdict.
        zones: The parts of the bar, lowest rates first, each as (zone, start, width). The start and the width are in
            percent of the axis. The zone is ``faster`` or ``slower`` if the method is shown to be faster or slower than
            the baseline at the part's rates. The zone is ``open`` if a break-even lies in the part, or if no
            difference is shown.
    """

    method: str
    colour: str
    text: str
    accuracy: AccuracyOutcome | None
    quality: str
    zones: tuple[tuple[Zone, float, float], ...]

    @property
    def is_losing(self) -> bool:
        """True if the method is shown to lose accuracy."""
        return self.accuracy == "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brackets:
    """The break-evens of all methods, drawn below each other on one axis of link rates.

    Attributes:
        compute: A phrase on how long a step computes, such as ``for steps that compute 0.36 s, as measured here``. The
            break-evens hold only for this compute time. Empty if the time is unknown.
        lines: The break-evens, one per method and setting, such as a number of workers.
        ticks: The marks of the axis: (place in percent, rate as text).
    """

    compute: str
    lines: tuple[Bracket, ...]
    ticks: tuple[tuple[float, str], ...]

    @property
    def legend(self) -> list[str]:
        """The lines of the legend. Each explains a colour or pattern of bars, such as ``grey: shown to be slower``."""
        drawn = {zone for line in self.lines for zone, _, _ in line.zones if zone != "faster" or not line.is_losing}
        losing = [line for line in self.lines if line.is_losing and "faster" in [zone for zone, _, _ in line.zones]]
        dotted = dict.fromkeys(f"dotted: shown to be faster, but {line.quality}" for line in losing)
        return [*dotted, *(text for zone, text in _MEANINGS.items() if zone in drawn)]


def brackets(comparison: Comparison, palette: Palette) -> Brackets | None:
    """Return one bar per break-even of a comparison, for the report page; None if there is no bar.

    A method has a bar only if the method's speed-up was measured at two or more link rates. ``palette`` gives the bars'
    colours.
    """
    found = comparison.break_evens
    if not found:
        return None
    low = min(one.lowest_bits_per_second for one in found)
    high = max(one.highest_bits_per_second for one in found)

    def place(rate: float) -> float:
        return 100 * math.log(rate / low) / math.log(high / low)

    rates = {rate: one for one in found for rate in (one.lowest_bits_per_second, one.highest_bits_per_second)}
    return Brackets(
        compute=whose_compute((row for one in found for row in one.rows), comparison.labels),
        lines=tuple(
            Bracket(
                method=method_name(one, comparison.labels),
                colour=palette.colour(comparison.labels.colour_key(one.rows[0])),
                text=break_even_text(one, comparison.words.baseline),
                accuracy=None if (judged := _worst(comparison, one)) is None else judged.outcome,
                quality="" if judged is None else judged.phrase,
                zones=tuple((zone, place(start), place(end) - place(start)) for zone, start, end in _zones(one)),
            )
            for one in found
        ),
        ticks=tuple((place(rate), rates[rate].rate_text(rate)) for rate in sorted(rates)),
    )


def _worst(comparison: Comparison, one: BreakEven) -> AccuracyVerdict | None:
    """Return the worst accuracy verdict of one method over all link rates; None if the method has no verdicts.

    Link rates that were added during a run, to narrow the break-even, are ignored.

    Args:
        comparison: The comparison that has the verdicts.
        one: The break-even of the method.
    """
    rows = [row for row in one.rows if not row.is_added]
    judged = [found for row in rows if (found := comparison.verdict_of(row).accuracy_of(row)) is not None]
    return min(judged, key=lambda found: (_WORST_FIRST.index(found.outcome), not found.is_below), default=None)


def _zones(one: BreakEven) -> list[tuple[Zone, float, float]]:
    first, last = one.lowest_bits_per_second, one.highest_bits_per_second
    if one.outcome in ("always", "never"):
        return [("faster" if one.outcome == "always" else "slower", first, last)]
    if one.outcome not in ("below", "above"):
        return [("open", first, last)]
    low, high = one.bracket.low or first, one.bracket.high or last
    below: Zone = "faster" if one.outcome == "below" else "slower"
    above: Zone = "slower" if one.outcome == "below" else "faster"
    zones: list[tuple[Zone, float, float]] = [(below, first, low), ("open", low, high), (above, high, last)]
    return [(zone, start, end) for zone, start, end in zones if end > start]
