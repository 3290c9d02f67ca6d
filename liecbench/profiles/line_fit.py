"""Fit a line through the measured seconds of an operation at several sizes."""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

from liecbench.profiles.profile import Line

_Point = tuple[int, float]


def fit_line(points: Sequence[_Point]) -> Line:
    """Return a line seconds = constant + slope · elements that fits the points well.

    The compared lines go through two points, or through one point with the slope 0 or the constant 0. Neither the slope
    nor the constant may be negative. The line with the least sum of |ln(line's seconds ÷ point's seconds)| over the
    points is returned. Small sizes thus count as much as large sizes, and one disturbed point counts little.

    Args:
        points: At least one pair (number of elements, seconds), both positive.
    """
    return min(_candidates(points), key=lambda line: _deviation(line, points))


def _candidates(points: Sequence[_Point]) -> Iterator[Line]:
    for numel, seconds in points:
        yield Line(constant=seconds, per_element=0.0)
        yield Line(constant=0.0, per_element=seconds / numel)
    for (first, first_seconds), (second, second_seconds) in combinations(points, 2):
        if first == second:
            continue
        slope = (second_seconds - first_seconds) / (second - first)
        constant = first_seconds - slope * first
        if slope >= 0 and constant >= 0:
            yield Line(constant=constant, per_element=slope)


def _deviation(line: Line, points: Sequence[_Point]) -> float:
    return sum(abs(math.log(line.seconds(numel) / seconds)) for numel, seconds in points)
