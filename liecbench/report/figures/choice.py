"""The figures of a report, but for its curves over epochs."""

import math
from collections.abc import Iterator, Sequence

from liecbench.network.link_map import LinkMap
from liecbench.report.figures.curves import energy_figure, epoch_figures
from liecbench.report.figures.figure import Figure, Series, interval_of
from liecbench.report.parts import PARTS, time_parts
from liecbench.report.row_labels import Labels, provenance
from liecbench.results.break_even import symmetric_rate
from liecbench.results.comparison import Estimate, Row


def figures(rows: Sequence[Row], labels: Labels) -> list[Figure]:
    """Every figure that these rows have something for, in the order of a report."""
    trained = [row for row in rows if any(cell.epochs for cell in row.members)]
    drawn = [
        *epoch_figures(trained, labels),
        energy_figure(trained, labels),
        _time_parts(trained, labels),
        _parts_by_link(trained, labels),
        _time_by_rate(trained, labels),
        _time_by_workers(trained, labels),
        _pareto(trained, labels),
        _speedup_by_rate(trained, labels),
        _traffic_by_rank(trained, labels),
    ]
    return [figure for figure in drawn if figure is not None and figure.series]


def _time_parts(rows: Sequence[Row], labels: Labels) -> Figure:
    """Stacked bars of an epoch's seconds: a bar a method."""
    series = [
        Series(
            name=part + provenance([row]),
            method=part,
            variant=number,
            setting=labels.setting(row),
            x=[labels.method(row)],
            y=[seconds],
        )
        for row in rows
        if row.metrics["seconds_per_epoch"] is not None
        for number, (part, seconds) in enumerate(zip(PARTS, time_parts(row), strict=True))
    ]
    return Figure(
        key="epoch-time",
        title="Where an epoch's time goes",
        caption="Compression shortens what waits for the network alone. What is hidden behind computing is in no "
        "part; what compression and communication did not hide is divided in proportion to their times.",
        x_title="",
        y_title="seconds an epoch",
        kind="bars",
        series=series,
        stacked=True,
    )


def _parts_by_link(rows: Sequence[Row], labels: Labels) -> Figure | None:
    """The same by link and method, as shares of the baseline's time on that link: its bars are 1 high."""
    compared = sorted((row for row in rows if row.metrics["speedup"] is not None), key=_slowest_link_first)
    if len({row.fields["link"] for row in compared}) < 2:
        return None
    series = [
        Series(
            name=part + provenance([row]),
            method=part,
            variant=number,
            setting=labels.setting(row, without="link"),
            group=str(row.fields["link"]),
            x=[labels.method(row)],
            y=[seconds / sum(time_parts(row)) / row.metrics["speedup"].mean],
        )
        for row in compared
        for number, (part, seconds) in enumerate(zip(PARTS, time_parts(row), strict=True))
        if row.metrics["speedup"] is not None
    ]
    return Figure(
        key="epoch-time-links",
        title="Where time goes, by bandwidth",
        caption="The baseline's epoch on each link is 1: what a method takes off its waiting is what it gains.",
        x_title="",
        y_title="time an epoch, the baseline's = 1",
        kind="bars",
        series=series,
        stacked=True,
    )


def _slowest_link_first(row: Row) -> tuple[float, ...]:
    link = LinkMap.parse(row.members[0].spec["link"])
    return link.speed if link.shaped else (math.inf,)


def _time_by_rate(rows: Sequence[Row], labels: Labels) -> Figure:
    return _logarithmic(
        "rates",
        "Time an epoch by the rate of the links",
        "Where a line is straight the network decides; where it turns flat a faster one would not help.",
        ("bits per second of each link", "seconds an epoch"),
        list(_by_rate(rows, labels, "seconds_per_epoch")),
    )


def _logarithmic(key: str, title: str, caption: str, axes: tuple[str, str], series: list[Series]) -> Figure:
    """Lines on logarithmic axes, where what is proportional is straight."""
    x_title, y_title = axes
    return Figure(
        key=key,
        title=title,
        caption=caption,
        x_title=x_title,
        y_title=y_title,
        kind="lines",
        series=series,
        log_x=True,
        log_y=True,
    )


def _time_by_workers(rows: Sequence[Row], labels: Labels) -> Figure:
    groups: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        if row.metrics["seconds_per_epoch"] is not None:
            groups.setdefault(labels.curve(row, without="workers"), []).append(row)
    series: list[Series] = []
    for (name, setting), group in groups.items():
        if len(group) > 1:
            group.sort(key=lambda row: row.fields["workers"])
            numbers: list[float | str] = [row.fields["workers"] for row in group]
            line = _line(group, labels, (name, setting), numbers, "seconds_per_epoch")
            linear = [line.y[0] * group[0].fields["workers"] / row.fields["workers"] for row in group]
            series += [
                line,
                Series(
                    name=f"{name}, linear speed-up",
                    method=line.method,
                    setting=setting,
                    x=numbers,
                    y=linear,
                    reference=True,
                ),
            ]
    return _logarithmic(
        "workers",
        "Time an epoch by number of workers",
        "An epoch is divided among the workers: on the dotted line each does its share and nobody waits.",
        ("workers", "seconds an epoch"),
        series,
    )


def _line(
    group: Sequence[Row], labels: Labels, curve: tuple[str, str | None], x: list[float | str], metric: str
) -> Series:
    estimates = [estimate for row in group if (estimate := row.metrics[metric]) is not None]
    return Series(
        name=curve[0] + provenance(group),
        setting=curve[1],
        method=group[0].fields["algorithm"],
        variant=labels.variant(group[0]),
        x=x,
        y=[estimate.mean for estimate in estimates],
        interval=interval_of(estimates),
    )


def _pareto(rows: Sequence[Row], labels: Labels) -> Figure:
    """A point a method: all its bytes and its accuracy at the end, and the front of those that none beats."""
    points: dict[str | None, list[tuple[Row, float, Estimate]]] = {}
    for row in rows:
        sent, reached = row.metrics["payload_bytes_per_epoch"], row.metrics["test_accuracy"]
        if sent is not None and reached is not None:
            total = sent.mean * max(len(cell.epochs) for cell in row.members)
            points.setdefault(labels.curve(row)[1], []).append((row, total, reached))
    series: list[Series] = []
    for setting, here in points.items():
        series += [
            Series(
                name=labels.curve(row)[0],
                method=labels.colour(row),
                variant=labels.variant(row),
                setting=setting,
                x=[total],
                y=[reached.mean],
                interval=interval_of([reached]),
            )
            for row, total, reached in here
        ]
        front = list(pareto_front([(total, reached.mean) for _, total, reached in here]))
        x, y = [x for x, _ in front], [y for _, y in front]
        series.append(Series(name="front", method="", x=[*x], y=y, setting=setting, reference=True))
    return Figure(
        key="pareto",
        title="Accuracy against bytes",
        caption="Up and to the left is better: a method below the line is beaten by one that sends less, learns more.",
        x_title="payload bytes of the whole training, sent and received a rank",
        y_title="test accuracy",
        kind="points",
        series=series,
        log_x=True,
        percent=True,
    )


def pareto_front(points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """The points that no other one beats in fewer bytes and in higher accuracy, fewest bytes first."""
    best = -math.inf
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if y > best:
            best = y
            yield x, y


def _by_rate(rows: Sequence[Row], labels: Labels, metric: str) -> Iterator[Series]:
    """A line a method over the rates that it was measured at, if there are several."""
    groups: dict[tuple[str, str | None], list[tuple[int, Row]]] = {}
    for row in rows:
        rate = symmetric_rate(row.fields.get("link"))
        if rate is not None and row.metrics[metric] is not None:
            groups.setdefault(labels.curve(row, without="link"), []).append((rate, row))
    for curve, group in groups.items():
        if len(group) > 1:
            group.sort(key=lambda pair: pair[0])
            yield _line([row for _, row in group], labels, curve, [rate for rate, _ in group], metric)


def _speedup_by_rate(rows: Sequence[Row], labels: Labels) -> Figure:
    return _logarithmic(
        "break-even",
        "Speed-up by the rate of the links",
        "Above 1 epochs are shorter than the baseline's; a line falls to 1 at the method's break-even rate.",
        ("bits per second of each link", "speed-up over the baseline"),
        list(_by_rate(rows, labels, "speedup")),
    )


def _traffic_by_rank(rows: Sequence[Row], labels: Labels) -> Figure:
    series = []
    for row in rows:
        epoch = next(cell.epochs[-1] for cell in row.members if cell.epochs)
        moved = [s + r for s, r in zip(epoch.payload_bytes["sent"], epoch.payload_bytes["received"], strict=True)]
        series.append(
            Series(
                name=labels.method(row),
                method=row.fields["algorithm"],
                variant=labels.variant(row),
                setting=labels.setting(row),
                x=[f"rank {rank}" for rank in range(len(moved))],
                y=[float(count) for count in moved],
            )
        )
    return Figure(
        key="ranks",
        title="Traffic of every rank",
        caption="With a server at the root rank 0 carries everyone's messages, and its link is the hot spot; sharded, "
        "all carry the same.",
        x_title="",
        y_title="payload bytes an epoch, sent and received",
        kind="bars",
        series=series,
    )
