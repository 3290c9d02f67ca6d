"""The bandwidth that methods need, computed from rows that were measured at one or more link rates.

It follows from the waits of a method at these rates, as the module ``needed_rate`` explains. A step computes equally
long at all link rates, so its compute seconds are the median over the rows.
"""

import statistics
from collections.abc import Mapping, Sequence

from liecbench.network.link_map import LinkMap
from liecbench.results.bandwidth_needed import UTILIZATIONS, BandwidthNeeded, LimitingPart
from liecbench.results.link_rates import rate_and_shape, without_link
from liecbench.results.needed_rate import Wait, narrowed, needed_rate
from liecbench.results.provenance import provenance, shared_provenance
from liecbench.results.row_flags import is_busy
from liecbench.results.row_labels import Labels
from liecbench.results.rows import Row
from liecbench.results.whose_compute import step_compute


def measured_bandwidth(rows: Sequence[Row], labels: Labels) -> list[BandwidthNeeded]:
    """Return the link rates that each method needs to reach the compute utilizations ``UTILIZATIONS``.

    Rows that differ only in the link rate share one result. The results are in the order of the rows.

    Three kinds of rows are ignored:

    - rows whose link has no rate limit
    - rows whose records do not say how much of the time is computing
    - rows that a run added to find a break-even, if the scenario itself asks for an equal row
    """
    groups: dict[tuple[str, str], dict[int, Row]] = {}
    for row in sorted(rows, key=lambda row: row.is_added):
        link = rate_and_shape(row.cells[0].spec["link"])
        if link is not None and row.metrics["compute_utilization"] is not None and _seconds(row, "compute"):
            groups.setdefault((without_link(row), link[1]), {}).setdefault(link[0], row)
    shared = shared_provenance([list(group.values()) for group in groups.values()])
    return [_bandwidth(dict(sorted(group.items())), labels, shared) for group in groups.values()]


def _bandwidth(rows_by_rate: Mapping[int, Row], labels: Labels, shared: str) -> BandwidthNeeded:
    """Return the link rates that one method needs in one setting to reach the utilizations ``UTILIZATIONS``.

    Args:
        rows_by_rate: The method's rows by link rate in bits per second, slowest link first.
        labels: Names the rows.
        shared: The ``provenance`` of the result, such as `` (replayed)``. If ``shared`` is empty, the ``provenance`` is
            computed from ``rows_by_rate``.
    """
    rows = list(rows_by_rate.values())
    compute_seconds = statistics.median(_seconds(row, "compute") for row in rows)
    waits = narrowed([_wait(row, rate, compute_seconds) for rate, row in rows_by_rate.items()])
    fastest, compute = rows[-1], step_compute(rows)
    assert compute is not None, "rows with a compute utilization have compute seconds"
    link = LinkMap.parse(fastest.cells[0].spec["link"])
    return BandwidthNeeded(
        name=labels.whole(fastest, without=("link", "workers")),
        provenance=shared or provenance(rows),
        workers=int(fastest.fields["workers"]),
        link=link,
        compute=compute,
        rates=tuple(needed_rate(waits, utilization) for utilization in UTILIZATIONS),
        highest_utilization=1 / (1 + waits[-1].rest),
        limited_by=_limiting_part(fastest),
        num_rates=len(rows),
    )


def _wait(row: Row, rate: int, compute_seconds: float) -> Wait:
    """Return the wait of a row at its link rate.

    The mean wait is the row's mean seconds per epoch ÷ ``compute_seconds`` − 1, but at least 0. For example, the mean
    wait is 0.5 if an epoch takes 30 s, of which computing takes 20 s.

    Args:
        row: A row with a measured time per epoch.
        rate: The row's link rate, in bits per second.
        compute_seconds: The compute seconds per epoch, the median over the method's rows at all link rates.
    """
    seconds = row.metrics["seconds_per_epoch"]
    assert seconds is not None, "rows with a compute utilization are timed"
    low, mean, high = (
        max(0.0, (seconds.mean if value is None else value) / compute_seconds - 1)
        for value in (seconds.low, seconds.mean, seconds.high)
    )
    return Wait(
        rate=float(rate),
        mean=mean,
        low=low,
        high=high,
        rest=max(0.0, mean - _seconds(row, "wire") / compute_seconds),
        communication=_seconds(row, "communicate") / compute_seconds,
    )


def _limiting_part(row: Row) -> LimitingPart | None:
    """Return what training would wait for most if the link had no rate limit; None if it would not wait."""
    compress, other = _seconds(row, "exposed_compress"), _seconds(row, "other")
    if not compress and not other:
        return None
    if compress >= other:
        return "compression"
    return "processor" if is_busy(row) else "latency"


def _seconds(row: Row, part: str) -> float:
    """Return a row's seconds per epoch for a part such as ``compute``; 0 if they are unknown."""
    value = row.metrics[f"{part}_seconds_per_epoch"]
    return 0.0 if value is None else value.mean
