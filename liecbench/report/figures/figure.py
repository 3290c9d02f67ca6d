"""Figures as data: series of values with intervals, independent of the library that draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from liecbench.results.statistics import Estimate

Kind = Literal["lines", "bars", "points"]
Interval = tuple[list[float], list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The data of one curve, one set of bars or one set of points in a figure.

    Args:
        name: The name in the legend.
        method: The key of the colour in the palette.
        x: The values on the horizontal axis; texts are categories.
        y: The values on the vertical axis.
        interval: The lower ends and the upper ends of 95 % intervals over seeds, as two lists with one value per value
            of ``y``; None if no value has an interval.
        variant: A number from 0 that selects the look: the dash and marker of a curve, the marker of points, or the
            pattern of bars. For stacked bars, the number selects the colour instead.
        setting: The name of the setting, such as the link, under which the series is shown; None: under every setting.
        group: The name of the group of adjacent bars to which this series' bars belong; None: no group.
        reference: True for a line to compare other series with; it is dotted and grey.
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
        key: The figure's name in file names and on the page.
        title: The heading.
        caption: One or two sentences that explain how to read the figure.
        x_title: The title of the horizontal axis; empty for categories.
        y_title: The title of the vertical axis.
        kind: The way in which the series are drawn.
        series: The series.
        log_x: True for a logarithmic horizontal axis.
        log_y: True for a logarithmic vertical axis.
        si_x: True if horizontal values are shown with SI prefixes, as for bytes.
        si_y: True if vertical values are shown with SI prefixes.
        ticks_at_values: True if the horizontal axis has ticks only at the series' values.
        percent: True if vertical values are fractions, shown in percent.
        stacked: True if bars at the same place are stacked, as parts of a whole.
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
    """Return the lower ends and the upper ends of the intervals of all estimates, as two lists.

    Both ends are the mean for an estimate without an interval. Return None if no estimate has an interval.
    """
    if all(estimate.high is None for estimate in estimates):
        return None
    low = [e.mean if e.low is None else e.low for e in estimates]
    return low, [e.mean if e.high is None else e.high for e in estimates]
