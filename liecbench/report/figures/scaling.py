"""Figures on logarithmic axes: time and speed-up by link rate, and time by number of workers."""

from collections.abc import Iterator, Sequence
from typing import Final

from liecbench.report.figures.figure import Figure, Series, interval_of
from liecbench.results.link_rates import symmetric_rate
from liecbench.results.provenance import provenance
from liecbench.results.row_labels import Labels
from liecbench.results.rows import Row
from liecbench.results.whose_compute import whose_compute

# What the dotted line means: for epochs of a training, and for steps of a profile.
_LINEAR: Final = {
    True: "An epoch is divided among the workers: on the dotted line each does its share and none waits.",
    False: "A step has one batch per worker: on the dotted line it takes as long on more workers, and none waits.",
}


def time_by_rate(rows: Sequence[Row], labels: Labels) -> Figure:
    """Return a figure of seconds per epoch by link rate, one line per method."""
    return Figure(
        key="rates",
        title="Time per epoch by the rate of the links",
        caption="Where a line is straight the network decides; where it turns flat a faster one would not help.",
        x_title="bits per second of each link",
        y_title="seconds per epoch",
        kind="lines",
        series=list(_by_rate(rows, labels, "seconds_per_epoch")),
        log_x=True,
        log_y=True,
        si_x=True,
    )


def speedup_by_rate(rows: Sequence[Row], labels: Labels) -> Figure:
    """Return a figure of the speed-up over the baseline by link rate, one line per method."""
    series = list(_by_rate(rows, labels, "speedup"))
    compute = whose_compute((row for row in rows if row.speed is not None), labels) if series else ""
    return Figure(
        key="break-even",
        title="Speed-up by the rate of the links",
        caption="Above 1 training is faster than the baseline's; a line falls to 1 at the method's break-even rate"
        f"{f', {compute}' if compute else ''}.",
        x_title="bits per second of each link",
        y_title="speed-up over the baseline",
        kind="lines",
        series=series,
        log_x=True,
        log_y=True,
        si_x=True,
    )


def time_by_workers(rows: Sequence[Row], labels: Labels) -> Figure:
    """Return a figure of seconds per epoch by number of workers.

    Each method has two lines: its own, and a dotted one for linear speed-up. An epoch of a profile is one step, whose
    samples grow with the workers, so that the dotted line is level.
    """
    groups: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        if row.metrics["seconds_per_epoch"] is not None:
            groups.setdefault(labels.curve(row, without=("workers",)), []).append(row)
    series: list[Series] = []
    captions: dict[str, None] = {}
    for curve, group in groups.items():
        if len(group) > 1:
            series += _with_linear(sorted(group, key=lambda row: int(row.fields["workers"])), labels, curve)
            captions[_LINEAR[group[0].is_trained]] = None
    return Figure(
        key="workers",
        title="Time per epoch by number of workers",
        caption=" ".join(captions),
        x_title="workers",
        y_title="seconds per epoch",
        kind="lines",
        series=series,
        log_x=True,
        log_y=True,
        ticks_at_values=True,
    )


def _with_linear(group: Sequence[Row], labels: Labels, curve: tuple[str, str | None]) -> list[Series]:
    name, setting = curve
    workers: list[float | str] = [row.fields["workers"] for row in group]
    line = _line(group, labels, curve, workers, "seconds_per_epoch")
    linear = Series(
        name=f"{name}, linear speed-up",
        method=line.method,
        setting=setting,
        x=workers,
        y=[line.y[0] * work for work in _work_per_worker(group)],
        reference=True,
    )
    return [line, linear]


def _work_per_worker(group: Sequence[Row]) -> list[float]:
    """Return the samples per epoch and worker of each row of one method ÷ those of the first row.

    If a row's samples are unknown, all rows are treated as if each epoch had equally many samples. If only steps of a
    profile were timed, an epoch is one step, and each worker has equally many samples in a step.
    """
    if not group[0].is_trained:
        return [1.0] * len(group)
    # Samples that fill no step are left out, and their number depends on the number of workers.
    known = [row.pace.samples for row in group if row.pace.samples is not None]
    samples = known if len(known) == len(group) else [1.0] * len(group)
    per_worker = [n / row.fields["workers"] for n, row in zip(samples, group, strict=True)]
    return [n / per_worker[0] for n in per_worker]


def _by_rate(rows: Sequence[Row], labels: Labels, metric: str) -> Iterator[Series]:
    """Yield, for each method that was measured at two or more link rates, a line of ``metric`` by link rate."""
    groups: dict[tuple[str, str | None], list[tuple[int, Row]]] = {}
    for row in rows:
        rate = symmetric_rate(row.fields.get("link"))
        if rate is not None and row.metrics[metric] is not None:
            groups.setdefault(labels.curve(row, without=("link",)), []).append((rate, row))
    for curve, group in groups.items():
        if len(group) > 1:
            group.sort(key=lambda pair: pair[0])
            yield _line([row for _, row in group], labels, curve, [rate for rate, _ in group], metric)


def _line(
    group: Sequence[Row], labels: Labels, curve: tuple[str, str | None], x: list[float | str], metric: str
) -> Series:
    estimates = [estimate for row in group if (estimate := row.metrics[metric]) is not None]
    return Series(
        name=curve[0] + provenance(group),
        setting=curve[1],
        method=group[0].algorithm,
        variant=labels.variant(group[0]),
        x=x,
        y=[estimate.mean for estimate in estimates],
        interval=interval_of(estimates),
    )
