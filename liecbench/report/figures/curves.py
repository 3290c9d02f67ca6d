"""Curves over epochs: what is learned against what it costs."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from liecbench.report.columns import state_text
from liecbench.report.figures.figure import Figure, Series, interval_of
from liecbench.report.row_labels import Labels, provenance
from liecbench.results.comparison import Estimate, Row
from liecbench.results.gpu_metrics import joules
from liecbench.results.records import Epoch

_CAPTIONS: Final = {
    ("accuracy", "epochs"): "What compression costs in learning: a curve below the others needs more epochs.",
    ("accuracy", "seconds"): "What you wait for: the method whose curve is up first wins on this link.",
    ("accuracy", "bytes"): "What the network carries: the further left a curve, the less is sent for what is learned.",
    ("loss", "epochs"): "What compression costs in learning: a curve above the others needs more epochs.",
    ("loss", "seconds"): "What you wait for: the method whose curve is down first wins on this link.",
    ("loss", "bytes"): "What the network carries: the further left a curve, the less is sent for what is learned.",
}
_EPOCH_AXES: tuple[tuple[str, str, Callable[[Epoch], float]], ...] = (
    ("seconds", "seconds of training", lambda epoch: epoch.train_seconds),
    ("bytes", "payload bytes, sent and received a rank", lambda epoch: _payload_per_rank(epoch)),
)


def _payload_per_rank(epoch: Epoch) -> float:
    sent, received = epoch.payload_bytes["sent"], epoch.payload_bytes["received"]
    return (sum(sent) + sum(received)) / len(sent)


def epoch_figures(rows: Sequence[Row], labels: Labels) -> Iterator[Figure]:
    """Accuracy and loss against epochs, seconds and bytes."""
    values: tuple[tuple[str, str, Callable[[Epoch], float]], ...] = (
        ("accuracy", "test accuracy", lambda epoch: epoch.test_accuracy),
        ("loss", "training loss", lambda epoch: epoch.train_loss),
    )
    costs: tuple[tuple[str, str, Callable[[Epoch], float]], ...] = (
        ("epochs", "epochs", lambda _: 1.0),
        *_EPOCH_AXES,
    )
    for (key, title, value), (axis, x_title, cost) in itertools.product(values, costs):
        series = [_curve(row, labels, value, cost) for row in rows]
        if axis == "seconds":
            series = [replace(one, name=one.name + provenance([row])) for one, row in zip(series, rows, strict=True)]
        yield Figure(
            key=f"{key}-{axis}",
            title=f"{title.capitalize()} against {axis if axis != 'seconds' else 'time'}",
            caption=_CAPTIONS[key, axis],
            x_title=x_title,
            y_title=title,
            kind="lines",
            series=series,
            log_x=axis == "bytes",
            percent=key == "accuracy",
        )


def energy_figure(rows: Sequence[Row], labels: Labels) -> Figure:
    """Accuracy against energy, of rows whose GPUs' energy is known in every epoch."""
    known = [row for row in rows if all(joules(cell.epochs) is not None for cell in row.members)]
    return Figure(
        key="accuracy-energy",
        title="Test accuracy against energy",
        caption="What the GPUs take for what is learned, while they wait for the network, too.",
        x_title="joules of all GPUs",
        y_title="test accuracy",
        kind="lines",
        series=[_curve(row, labels, lambda epoch: epoch.test_accuracy, _energy) for row in known],
        percent=True,
    )


def _energy(epoch: Epoch) -> float:
    return joules([epoch]) or 0.0


def _curve(row: Row, labels: Labels, value: Callable[[Epoch], float], cost: Callable[[Epoch], float]) -> Series:
    """Means over the seeds that completed, or as far as all have come; costs add up epoch by epoch."""
    name, setting = labels.curve(row)
    begun = [cell for cell in row.members if cell.epochs]
    members = [cell for cell in begun if cell.status == "completed"] or begun
    paths = [
        list(zip(itertools.accumulate(map(cost, cell.epochs)), map(value, cell.epochs), strict=True))
        for cell in members
    ]
    points = [[path[epoch] for path in paths] for epoch in range(min(map(len, paths)))]
    estimates = [Estimate.of([y for _, y in point]) for point in points]
    return Series(
        name=f"{name} ({state})" if (state := state_text(row)) else name,
        method=labels.colour(row),
        variant=labels.variant(row),
        setting=setting,
        x=[math.fsum(x for x, _ in point) / len(point) for point in points],
        y=[estimate.mean for estimate in estimates],
        interval=interval_of(estimates),
    )
