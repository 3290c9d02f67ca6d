"""Figures of stacked bars: the time of an epoch, divided into its parts."""

import math
from collections.abc import Iterator, Mapping, Sequence

from liecbench.network.link_map import LinkMap
from liecbench.report.figures.figure import Figure, Series
from liecbench.results.provenance import provenance
from liecbench.results.row_labels import Labels
from liecbench.results.rows import Row
from liecbench.results.time_parts import PARTS, row_parts


def time_by_method(rows: Sequence[Row], labels: Labels) -> Figure:
    """Return a figure with one stacked bar per method and setting: the seconds of each part of an epoch's time."""
    timed = [row for row in rows if row.metrics["seconds_per_epoch"] is not None]
    return Figure(
        key="epoch-time",
        title="Where an epoch's time goes",
        caption="Computing is the model's and the optimizer's time on a processor of their own, the same for every "
        "method. Transfer is at most bytes over the link's measured rate; what remains is latency, waiting for other "
        "ranks or a processor, and what DDP and cold caches add to computing. What computing hides is in no part.",
        x_title="",
        y_title="seconds per epoch",
        kind="bars",
        series=[part for row in timed for part in _parts(row, labels, row_parts(row), setting=labels.setting(row))],
        stacked=True,
    )


def time_by_link(rows: Sequence[Row], labels: Labels) -> Figure:
    """Return a figure with one stacked bar per link and method: the parts of the method's training time on the link.

    All times are divided by the baseline's time for as many samples on the same link. The figure is empty if there is
    only one link.
    """
    compared = sorted((row for row in rows if row.metrics["speedup"] is not None), key=_slowest_link_first)
    several_links = len({row.fields["link"] for row in compared}) > 1
    return Figure(
        key="epoch-time-links",
        title="Where time goes, by bandwidth",
        caption="On each link the baseline's time for as many samples is 1: what a method takes off its waiting is "
        "what it gains.",
        x_title="",
        y_title="training time, the baseline's = 1",
        kind="bars",
        series=[part for row in compared for part in _relative_parts(row, labels)] if several_links else [],
        stacked=True,
    )


def _parts(
    row: Row, labels: Labels, heights: Mapping[str, float], *, setting: str, group: str | None = None
) -> Iterator[Series]:
    for part, height in heights.items():
        yield Series(
            name=part + provenance([row]),
            method=part,
            variant=PARTS.index(part),
            setting=setting,
            group=group,
            x=[labels.method(row)],
            y=[height],
        )


def _relative_parts(row: Row, labels: Labels) -> Iterator[Series]:
    speedup, parts = row.metrics["speedup"], row_parts(row)
    assert speedup is not None, "the row is compared"
    heights = {part: seconds / sum(parts.values()) / speedup.mean for part, seconds in parts.items()}
    yield from _parts(
        row, labels, heights, setting=labels.setting(row, without=("link",)), group=str(row.fields["link"])
    )


def _slowest_link_first(row: Row) -> tuple[float, ...]:
    link = LinkMap.parse(row.cells[0].spec["link"])
    return link.speed if link.shaped else (math.inf,)
