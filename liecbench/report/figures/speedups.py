"""The figure of speed-ups by method: one point with its interval per method and setting."""

from collections.abc import Sequence

from liecbench.report.figures.figure import Figure, Series, interval_of
from liecbench.results.row_labels import Labels, provenance
from liecbench.results.rows import Row


def speedup_by_method(rows: Sequence[Row], labels: Labels) -> Figure:
    """Return a figure with the speed-up of each method over the baseline, and a line at 1."""
    compared = [row for row in rows if row.metrics["speedup"] is not None and not row.is_baseline]
    series = [
        Series(
            name=labels.method(row) + provenance([row]),
            method=row.algorithm,
            variant=labels.variant(row),
            setting=labels.setting(row),
            x=[labels.method(row)],
            y=[estimate.mean],
            interval=interval_of([estimate]),
        )
        for row in compared
        if (estimate := row.metrics["speedup"]) is not None
    ]
    methods: list[float | str] = list(dict.fromkeys(labels.method(row) for row in compared))
    line = Series(name="as fast as the baseline", method="", x=methods, y=[1.0] * len(methods), reference=True)
    return Figure(
        key="speedup",
        title="Speed-up over the baseline",
        caption="Above 1 epochs are shorter than the baseline's. Bars are 95 % intervals.",
        x_title="",
        y_title="speed-up over the baseline",
        kind="points",
        series=[line, *series] if series else [],
    )
