"""What a figure shows: series with their intervals, for whichever library draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from liecbench.results.comparison import Estimate

Kind = Literal["lines", "bars", "points"]
Interval = tuple[list[float], list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line, or one bar's part or point a value; ``interval`` holds the ends of 95 % intervals over seeds.

    ``method`` decides the colour, ``variant`` the dash or the shade; a series of a ``setting`` is shown with it alone.
    Bars of a ``group`` stand together.
    """

    name: str
    method: str
    x: list[float | str]
    y: list[float]
    interval: Interval | None = None
    variant: int = 0
    setting: str | None = None
    group: str | None = None
    reference: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure with its axes; ``stacked`` bars are parts of a whole, ``x_title`` names no axis of categories."""

    key: str
    title: str
    caption: str
    x_title: str
    y_title: str
    kind: Kind
    series: list[Series]
    log_x: bool = False
    log_y: bool = False
    percent: bool = False
    stacked: bool = False


def interval_of(estimates: Sequence[Estimate]) -> Interval | None:
    """The ends of the intervals; None where no value has one."""
    if all(estimate.high is None for estimate in estimates):
        return None
    low = [e.mean if e.low is None else e.low for e in estimates]
    return low, [e.mean if e.high is None else e.high for e in estimates]
