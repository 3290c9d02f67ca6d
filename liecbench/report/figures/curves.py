"""Figures of accuracy, loss or perplexity against the epochs, tokens, seconds, bytes or joules of training so far."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from liecbench.report.figures.figure import Figure, Series, interval_of
from liecbench.results.gpu_metrics import joules
from liecbench.results.language_model import to_perplexity
from liecbench.results.provenance import provenance
from liecbench.results.records import Epoch
from liecbench.results.row_labels import Labels
from liecbench.results.rows import Row
from liecbench.results.statistics import Estimate

# On a screen, more points of a curve cannot be told apart.
_MOST_POINTS: Final = 300
OfEpoch = Callable[[Epoch], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """The horizontal axis of a figure: the accumulated cost of training in epochs, seconds, bytes or tokens.

    Attributes:
        key: The last part of the figure's key, such as ``seconds`` in ``accuracy-seconds``.
        title: The last word of the figure's title, such as ``time``.
        axis: The title of the axis, such as ``seconds of training``.
        of_epoch: Returns the cost of one epoch. The axis shows the sum of the costs from the first epoch on.
        caption: The caption of a figure of accuracy.
        loss_caption: The caption of a figure of a loss or of perplexity.
    """

    key: str
    title: str
    axis: str
    of_epoch: OfEpoch
    caption: str
    loss_caption: str


_FEWER_BYTES: Final = "What the network carries: the further left a curve, the less is sent for what is learned."
# Each with the key of its figures, its title, and its value at an epoch.
_ACCURACY: Final[tuple[str, str, OfEpoch]] = ("accuracy", "test accuracy", lambda epoch: epoch.test_accuracy)
_TRAIN_LOSS: Final[tuple[str, str, OfEpoch]] = ("loss", "training loss", lambda epoch: epoch.train_loss)
_TEST_LOSS: Final[tuple[str, str, OfEpoch]] = ("test-loss", "test loss", lambda epoch: epoch.test_loss)
_PERPLEXITY: Final[tuple[str, str, OfEpoch]] = (
    "perplexity",
    "perplexity",
    lambda epoch: to_perplexity(epoch.test_loss),
)
_COSTS: Final = (
    _Cost(
        key="epochs",
        title="epochs",
        axis="epochs",
        of_epoch=lambda _: 1.0,
        caption="What compression costs in learning: a curve below the others needs more epochs.",
        loss_caption="What compression costs in learning: a curve above the others needs more epochs.",
    ),
    _Cost(
        key="seconds",
        title="time",
        axis="seconds of training",
        of_epoch=lambda epoch: epoch.train_seconds,
        caption="What you wait for: the method whose curve is up first wins on this link.",
        loss_caption="What you wait for: the method whose curve is down first wins on this link.",
    ),
    _Cost(
        key="bytes",
        title="bytes",
        axis="payload bytes, sent and received per rank",
        of_epoch=lambda epoch: epoch.payload_bytes_per_rank,
        caption=_FEWER_BYTES,
        loss_caption=_FEWER_BYTES,
    ),
)
_TOKENS: Final = _Cost(
    key="tokens",
    title="tokens",
    axis="tokens that all ranks together train on",
    of_epoch=lambda epoch: epoch.tokens or 0,
    caption="",
    loss_caption="What compression costs in learning: a curve above the others needs more tokens.",
)


def epoch_figures(rows: Sequence[Row], labels: Labels) -> Iterator[Figure]:
    """Yield twelve figures of the trained rows. A figure for which there are no rows has no curves.

    - Language models: test loss and perplexity, each against tokens, seconds and payload bytes.
    - Other models: test accuracy against epochs, seconds and payload bytes.
    - All models: training loss against epochs, seconds and payload bytes.
    """
    trained = [row for row in rows if row.is_trained]
    language_models = [row for row in trained if row.is_language_model]
    others = [row for row in trained if not row.is_language_model]
    of_tokens = [row for row in language_models if row.metrics["tokens"] is not None]
    for value, cost in itertools.product((_TEST_LOSS, _PERPLEXITY), (_TOKENS, *_COSTS[1:])):
        yield _epoch_figure(of_tokens if cost is _TOKENS else language_models, labels, value, cost)
    for cost in _COSTS:
        yield _epoch_figure(others, labels, _ACCURACY, cost)
    for cost in _COSTS:
        yield _epoch_figure(trained, labels, _TRAIN_LOSS, cost)


def _epoch_figure(rows: Sequence[Row], labels: Labels, value: tuple[str, str, OfEpoch], cost: _Cost) -> Figure:
    key, title, of_epoch = value
    series = [_curve(row, labels, of_epoch, cost.of_epoch) for row in rows]
    if cost.key == "seconds":
        series = [replace(one, name=one.name + provenance([row])) for one, row in zip(series, rows, strict=True)]
    return Figure(
        key=f"{key}-{cost.key}",
        title=f"{title.capitalize()} against {cost.title}",
        caption=cost.caption if key == "accuracy" else cost.loss_caption,
        x_title=cost.axis,
        y_title=title,
        kind="lines",
        series=series,
        log_x=cost.key == "bytes",
        si_x=cost.key in ("bytes", "tokens"),
        percent=key == "accuracy",
    )


def energy_figure(rows: Sequence[Row], labels: Labels) -> Figure:
    """Return a figure of test accuracy against the joules of all GPUs.

    Rows of language models, and rows with an epoch whose GPU energy is unknown, are left out.
    """
    others = [row for row in rows if not row.is_language_model]
    known = [row for row in others if all(joules(cell.epochs) is not None for cell in row.cells)]
    return Figure(
        key="accuracy-energy",
        title="Test accuracy against energy",
        caption="What the GPUs take for what is learned, while they wait for the network as well.",
        x_title="joules of all GPUs",
        y_title="test accuracy",
        kind="lines",
        series=[_curve(row, labels, lambda epoch: epoch.test_accuracy, _energy) for row in known],
        si_x=True,
        percent=True,
    )


def _energy(epoch: Epoch) -> float:
    return joules([epoch]) or 0.0


def _drawn_epochs(num_epochs: int) -> Iterator[int]:
    """Yield the numbers, from 0, of the epochs that curves show.

    If there are at most 300 epochs, all are shown. Otherwise, at most 300 evenly spaced epochs are shown, the last one
    included.
    """
    step = max(1, -(-num_epochs // _MOST_POINTS))
    yield from range((num_epochs - 1) % step, num_epochs, step)


def _curve(row: Row, labels: Labels, value: OfEpoch, cost: OfEpoch) -> Series:
    """Return the curve of a row: ``value`` (y) over the accumulated ``cost`` (x).

    Both are means over the row's completed cells or, if no cell completed, over all cells that have epochs. The curve
    ends at the last epoch that every averaged cell has finished.

    Args:
        row: The row.
        labels: The names of the row's method and setting.
        value: Returns the value of an epoch, such as the test accuracy.
        cost: Returns the cost of a single epoch, such as joules.
    """
    name, setting = labels.curve(row)
    begun = [cell for cell in row.cells if cell.epochs]
    cells = [cell for cell in begun if cell.status == "completed"] or begun
    paths = [
        list(zip(itertools.accumulate(map(cost, cell.epochs)), map(value, cell.epochs), strict=True)) for cell in cells
    ]
    points = [[path[epoch] for path in paths] for epoch in _drawn_epochs(min(map(len, paths)))]
    estimates = [Estimate.of([y for _, y in point]) for point in points]
    return Series(
        name=f"{name} ({row.state})" if row.state else name,
        method=labels.colour_key(row),
        variant=labels.variant(row),
        setting=setting,
        x=[math.fsum(x for x, _ in point) / len(point) for point in points],
        y=[estimate.mean for estimate in estimates],
        interval=interval_of(estimates),
    )
