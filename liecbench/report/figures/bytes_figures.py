"""Figures of payload bytes: accuracy against bytes, and bytes by rank."""

import math
from collections.abc import Iterator, Sequence

from liecbench.report.figures.figure import Figure, Series, interval_of
from liecbench.results.row_labels import Labels
from liecbench.results.rows import Row
from liecbench.results.statistics import Estimate


def accuracy_against_bytes(rows: Sequence[Row], labels: Labels) -> Figure:
    """Return a figure with one point per row: final test accuracy (y) against payload bytes of the whole training (x).

    A line shows the Pareto front of the points with the same setting, such as the same link.
    """
    points: dict[str | None, list[tuple[Row, float, Estimate]]] = {}
    for row in rows:
        payload, accuracy = row.metrics["payload_bytes_per_epoch"], row.metrics["test_accuracy"]
        if payload is not None and accuracy is not None:
            total = payload.mean * max(len(cell.epochs) for cell in row.cells)
            points.setdefault(labels.curve(row)[1], []).append((row, total, accuracy))
    series: list[Series] = []
    for setting, group in points.items():
        series += [
            Series(
                name=labels.curve(row)[0],
                method=labels.colour_key(row),
                variant=labels.variant(row),
                setting=setting,
                x=[total],
                y=[accuracy.mean],
                interval=interval_of([accuracy]),
            )
            for row, total, accuracy in group
        ]
        front = list(pareto_front([(total, accuracy.mean) for _, total, accuracy in group]))
        x, y = [x for x, _ in front], [y for _, y in front]
        series.append(Series(name="front", method="", x=[*x], y=y, setting=setting, reference=True))
    return Figure(
        key="pareto",
        title="Accuracy against bytes",
        caption="Up and to the left is better: a method below the line is beaten by one that sends less, learns more.",
        x_title="payload bytes of the whole training, sent and received per rank",
        y_title="test accuracy",
        kind="points",
        series=series,
        log_x=True,
        si_x=True,
        percent=True,
    )


def pareto_front(points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Yield the points of the Pareto front by rising x.

    A point (x, y) is on the front if no other point has both a smaller or equal x and a larger or equal y.
    """
    best = -math.inf
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if y > best:
            best = y
            yield x, y


def bytes_by_rank(rows: Sequence[Row], labels: Labels) -> Figure:
    """Return a bar chart of the payload bytes that each rank sends and receives per epoch.

    Every row has one bar per rank. The bytes are those of one epoch: the last one of the row's first cell with epochs.
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
