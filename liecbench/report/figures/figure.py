"""Figures as data: series with intervals, for whichever library draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from liecbench.results.statistics import Estimate

Kind = Literal["lines", "bars", "points"]
Interval = tuple[list[float], list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line, or one bar part or point per value.

    Args:
        name: The name in the legend.
        method: The key of the colour.
        x: The values on the horizontal axis; texts are categories.
        y: The values on the vertical axis.
        interval: The lower and upper ends of 95 % intervals over seeds.
        variant: The number of the dash, marker and pattern.
        setting: The setting with which the series is shown; None: always.
        group: Bars of a group stand next to each other.
        reference: True for a line to compare with, which is dotted and grey.
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
    """A figure with its axes.

    Args:
        key: The name in files and on the page.
        title: The heading.
        caption: A sentence on how to read it.
        x_title: The title of the horizontal axis; empty for categories.
        y_title: The title of the vertical axis.
        kind: The way in which series are drawn.
        series: The series.
        log_x: True for a logarithmic horizontal axis.
        log_y: True for a logarithmic vertical axis.
        si_x: True if horizontal values need SI prefixes, such as bytes.
        si_y: True if vertical values need SI prefixes.
        ticks_at_values: True if the horizontal axis has ticks at the values alone.
        percent: True if vertical values are fractions.
        stacked: True if bars are parts of a whole.
    """

    key: str
    title: str
    caption: str
    x_title: str
    y_title: str
    kind: Kind
    series: list[Series]
    log_x: bool = False
    log_y: bool = False
    si_x: bool = False
    si_y: bool = False
    ticks_at_values: bool = False
    percent: bool = False
    stacked: bool = False


def interval_of(estimates: Sequence[Estimate]) -> Interval | None:
    """Return the ends of the intervals; None if no value has an interval."""
    if all(estimate.high is None for estimate in estimates):
        return None
    low = [e.mean if e.low is None else e.low for e in estimates]
    return low, [e.mean if e.high is None else e.high for e in estimates]
