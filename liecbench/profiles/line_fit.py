"""Fit a line through the measured seconds of an operation at several sizes."""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

from liecbench.profiles.profile import Line

_Point = tuple[int, float]


def fit_line(points: Sequence[_Point]) -> Line:
    """Fit a line to points (number of elements, seconds) by the least relative deviations, and return it.

    The line has the least sum of |ln(line ÷ point)|, so that small sizes count as much as large ones, and one disturbed
    point counts little. Only three kinds of lines are tried: those through two points, and through each point a
    constant line and a line proportional to the size. Neither the constant nor the slope is negative.

    Args:
        points: At least one point; numbers of elements and seconds are positive.
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
