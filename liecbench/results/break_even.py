"""The break-even bandwidth of a method: the link rate at which the method is as fast as the baseline."""

from collections.abc import Sequence
from dataclasses import dataclass

from liecbench.network.link_map import LinkMap
from liecbench.results.bracket import Bracket, BreakEvenOutcome, bracket_of
from liecbench.results.bracket_search import measured_precision, next_rate
from liecbench.results.link_rates import rate_and_shape, without_link
from liecbench.results.ratio_interval import LogRatio
from liecbench.results.rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """The break-even of one method: the link rate at which equally many samples take as long as with the baseline.

    Attributes:
        rows: The method's rows at the measured link rates, one row per rate, slowest link first. The links of two rows
            differ only in that all rates are multiplied by one factor.
        slowest: The links of the first row.
        bracket: The range of link rates that contains the break-even.
        untimed: The method's rows that runs added in vain to narrow ``bracket``: the rows have no speed-up, for example
            because the link failed its check. Empty if ``is_narrowest``.
        is_narrowest: True if no further rate is to be measured: ``next_rate(0.0)`` returns None.
        lowest_bits_per_second: The lowest measured link rate.
        highest_bits_per_second: The highest measured link rate.
    """

    rows: tuple[Row, ...]
    slowest: LinkMap
    bracket: Bracket
    is_narrowest: bool
    lowest_bits_per_second: int
    highest_bits_per_second: int
    untimed: tuple[Row, ...] = ()

    @property
    def outcome(self) -> BreakEvenOutcome:
        """The link rates at which the method is faster: ``below`` stands for the rates below the break-even.

        ``Bracket`` explains all values.
        """
        return self.bracket.outcome

    @property
    def emulators(self) -> list[str]:
        """The names of the emulators of the method's links, such as ``tbf``, without duplicates, slowest link first."""
        cells = (cell for row in self.rows for cell in row.cells)
        return list(dict.fromkeys(name for cell in cells for name in sorted(cell.emulators)))

    @property
    def added_rates(self) -> list[int]:
        """The link rates, in bits per second, that no scenario asked for: runs added them to narrow this break-even."""
        return [_point(row)[0] for row in self.rows if row.is_added]

    def rate_text(self, bits_per_second: int) -> str:
        """Return the default link's rates as text, after scaling them so that the up rate is ``bits_per_second``.

        The text is, for example, ``20mbit``, or ``10mbit↑ 50mbit↓`` if the up and down rates differ.
        """
        link = self.slowest.at_rate(bits_per_second).default
        assert link is not None, "links of a break-even are shaped"
        return str(link.without_delay)

    def next_rate(self, precision: float) -> int | None:
        """Return the link rate to measure next, in bits per second; None if the search for the break-even is over.

        Args:
            precision: The expected half-width of the 95 % interval of the speed-up at the next rate, as a fraction of
                the speed-up: 0.02 means ±2 %. If the median half-width at the measured rates is larger, the median is
                used instead.
        """
        return _next_rate([_point(row) for row in self.rows], precision)


def break_evens(rows: Sequence[Row]) -> list[BreakEven]:
    """Return a break-even for each method whose speed-up was measured on two or more links of one shape.

    Links of one shape differ only in that all rates are multiplied by one factor. The rate of a link is its up rate.
    A method has separate break-evens for different link shapes, and for rows that differ in a field other than the
    link, such as ``workers``.

    Args:
        rows: The rows of a comparison. The baseline's rows are ignored.
    """
    groups: dict[tuple[str, str], dict[int, Row]] = {}
    untimed: dict[tuple[str, str], list[Row]] = {}
    # If a scenario's row and an added row have the same rate, the scenario's comes first and is used.
    for row in sorted(rows, key=lambda row: row.is_added):
        link = rate_and_shape(row.cells[0].spec["link"])
        if link is None or row.is_baseline:
            continue
        rate, shape = link
        if row.speed is not None:
            groups.setdefault((without_link(row), shape), {}).setdefault(rate, row)
        elif row.is_added:
            untimed.setdefault((without_link(row), shape), []).append(row)
    return [
        _break_even([row for _, row in sorted(group.items())], untimed.get(key, []))
        for key, group in groups.items()
        if len(group) > 1
    ]


def _point(row: Row) -> tuple[int, LogRatio | None]:
    found = rate_and_shape(row.cells[0].spec["link"])
    assert found is not None, "links of a break-even have one rate"
    return found[0], None if row.cpu_share_differs else row.speed


def _next_rate(points: Sequence[tuple[int, LogRatio | None]], precision: float) -> int | None:
    known = [(rate, ratio) for rate, ratio in points if ratio is not None]
    rate = next_rate(known, max(precision, measured_precision(known)))
    return None if rate in [measured for measured, _ in points] else rate


def _break_even(group: list[Row], untimed: Sequence[Row]) -> BreakEven:
    points = [_point(row) for row in group]
    is_narrowest = _next_rate(points, 0.0) is None
    return BreakEven(
        rows=tuple(group),
        slowest=LinkMap.parse(group[0].cells[0].spec["link"]),
        bracket=bracket_of(points),
        is_narrowest=is_narrowest,
        lowest_bits_per_second=points[0][0],
        highest_bits_per_second=points[-1][0],
        untimed=() if is_narrowest else tuple(untimed),
    )
