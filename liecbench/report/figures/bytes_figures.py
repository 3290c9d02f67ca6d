"""Figures of payload bytes: accuracy or test loss against bytes, and bytes by rank."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from liecbench.report.figures.figure import Figure, Series, interval_of
from liecbench.results.metrics import METRICS
from liecbench.results.row_labels import Labels
from liecbench.results.rows import Row
from liecbench.results.statistics import Estimate

_WHOLE_PAYLOAD: Final = "payload bytes of the whole training, sent and received per rank"


def accuracy_against_bytes(rows: Sequence[Row], labels: Labels) -> Figure:
    """Return a figure with one point per row: final test accuracy (y) against payload bytes of the whole training (x).

    A line per setting, such as a link, shows the Pareto front of the setting's points. Rows of language models, and
    rows without accuracy or bytes, are left out.
    """
    return Figure(
        key="pareto",
        title="Accuracy against bytes",
        caption="Up and to the left is better: a method below the line is beaten by one that sends less, learns more.",
        x_title=_WHOLE_PAYLOAD,
        y_title="test accuracy",
        kind="points",
        series=_points([row for row in rows if not row.is_language_model], labels, "test_accuracy"),
        log_x=True,
        si_x=True,
        percent=True,
    )


def loss_against_bytes(rows: Sequence[Row], labels: Labels) -> Figure:
    """Return a figure with one point per row: final test loss (y) against payload bytes of the whole training (x).

    Each setting, such as a link, has a line: the Pareto front of the setting's points. Only language models are shown.
    """
    return Figure(
        key="pareto-loss",
        title="Test loss against bytes",
        caption="Down and left is better: a method above the line is beaten by one that sends less, learns more.",
        x_title=_WHOLE_PAYLOAD,
        y_title="test loss",
        kind="points",
        series=_points([row for row in rows if row.is_language_model], labels, "test_loss"),
        log_x=True,
        si_x=True,
    )


def _points(rows: Sequence[Row], labels: Labels, name: str) -> list[Series]:
    """Return the series of a figure that shows the metric ``name`` (y) over the payload bytes of a training (x).

    Every row with both values is one series with a single point. Every setting has one more series: the Pareto front of
    its rows' points.
    """
    points: dict[str | None, list[tuple[Row, float, Estimate]]] = {}
    for row in rows:
        payload, value = row.metrics["payload_bytes_per_epoch"], row.metrics[name]
        if payload is not None and value is not None:
            total = payload.mean * max(len(cell.epochs) for cell in row.cells)
            points.setdefault(labels.curve(row)[1], []).append((row, total, value))
    sign = 1.0 if METRICS[name].better == "higher" else -1.0
    series: list[Series] = []
    for setting, group in points.items():
        series += [
            Series(
                name=labels.curve(row)[0],
                method=labels.colour_key(row),
                variant=labels.variant(row),
                setting=setting,
                x=[total],
                y=[value.mean],
                interval=interval_of([value]),
            )
            for row, total, value in group
        ]
        front = list(pareto_front([(total, sign * value.mean) for _, total, value in group]))
        x, y = [x for x, _ in front], [sign * y for _, y in front]
        series.append(Series(name="front", method="", x=[*x], y=y, setting=setting, reference=True))
    return series


def pareto_front(points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Yield the points (x, y) of a Pareto front in order of rising x. A smaller x and a larger y are better.

    A point is on the front if every different point has a larger x or a smaller y. Equal points are yielded once.
    """
    best = -math.inf
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if y > best:
            best = y
            yield x, y


def bytes_by_rank(rows: Sequence[Row], labels: Labels) -> Figure:
    """Return a bar chart of the payload bytes, sent plus received, of each rank per epoch.

    Every row has one bar per rank. The bytes are those of one epoch: the last epoch of the row's first cell with
    epochs.
    """
    series = []
    for row in rows:
        payload = next(cell.epochs[-1].payload_bytes for cell in row.cells if cell.epochs)
        totals = [s + r for s, r in zip(payload["sent"], payload["received"], strict=True)]
        series.append(
            Series(
                name=labels.method(row),
                method=row.algorithm,
                variant=labels.variant(row),
                setting=labels.setting(row),
                x=[f"rank {rank}" for rank in range(len(totals))],
                y=[float(total) for total in totals],
            )
        )
    return Figure(
        key="ranks",
        title="Traffic of every rank",
        caption="With a server at the root rank 0 carries everyone's messages, and its link is the bottleneck; "
        "sharded, all carry the same.",
        x_title="",
        y_title="payload bytes per epoch, sent and received",
        kind="bars",
        series=series,
        si_y=True,
    )
