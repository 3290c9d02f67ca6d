import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.report.figures.all_figures import all_figures
from liecbench.report.figures.bytes_figures import pareto_front
from liecbench.report.figures.figure import Figure, Series
from liecbench.results.records import Record
from liecbench.results.time_parts import row_parts
from tests.ledgers import comparison_of, end, epoch, rows_of, run_of, start
from tests.replayed_results import only_timed

BASE = run_of("d", [{"seconds": 4.0, "accuracy": 0.5, "payload": (300, 500)}, {"seconds": 2.0, "accuracy": 0.7}])


def figures_of(*runs: list[Record]) -> dict[str, Figure]:
    return {figure.key: figure for figure in all_figures(comparison_of(*runs))}


def line(figure: Figure, name: str) -> Series:
    (series,) = (series for series in figure.series if series.name == name)
    return series


def heights(figure: Figure) -> dict[tuple[str | None, object], list[float]]:
    """Return the parts of every stacked bar from the bottom up, by group and category."""
    bars: dict[tuple[str | None, object], list[float]] = {}
    for series in figure.series:
        bars.setdefault((series.group, series.x[0]), []).extend(series.y)
    return bars


def by_link(algorithm: str, seconds: dict[str, float], **fields: object) -> list[list[Record]]:
    return [
        run_of(f"{algorithm} {link} {fields}", [{"seconds": value}], algorithm=algorithm, link=link, **fields)
        for link, value in seconds.items()
    ]


@pytest.mark.parametrize(
    ("key", "x", "y"),
    [
        ("accuracy-epochs", [1, 2], [0.5, 0.7]),
        ("accuracy-seconds", [4, 6], [0.5, 0.7]),
        ("accuracy-bytes", [800, 1000], [0.5, 0.7]),  # (2·300 + 2·500) / 2 ranks, then 200 more
        ("loss-epochs", [1, 2], [1.0, 0.5]),
        ("loss-seconds", [4, 6], [1.0, 0.5]),
        ("loss-bytes", [800, 1000], [1.0, 0.5]),
    ],
)
def test_curves_sum_the_costs_of_epochs(key: str, x: list[float], y: list[float]) -> None:
    (series,) = figures_of(BASE)[key].series

    assert (x, y, None, "ddp", "") == (series.x, series.y, series.interval, series.method, series.setting)


def test_curves_are_means_over_the_seeds_that_completed() -> None:
    epochs = [{"seconds": 2.0, "accuracy": 0.4}, {"seconds": 3.0, "accuracy": 0.6}]
    slower = [{"seconds": 4.0, "accuracy": 0.6}, {"seconds": 5.0, "accuracy": 0.6}]
    unfinished: list[Record] = [start("c", seed=2), epoch("c", seconds=100.0)]
    (series,) = figures_of(run_of("a", epochs), run_of("b", slower, seed=1), unfinished)["accuracy-seconds"].series
    assert series.interval is not None

    # 0.5 ± 12.706 · (0.2 / √2) / √2, and 0.6 twice
    assert pytest.approx([3.0, 7.0, 0.5, 0.6, -0.7706, 0.6, 1.7706, 0.6], abs=1e-4) == [
        *series.x,
        *series.y,
        *series.interval[0],
        *series.interval[1],
    ]


def test_curves_of_unfinished_seeds_end_where_the_first_one_does() -> None:
    first: list[Record] = [start("a"), epoch("a", seconds=2.0), epoch("a", 2, seconds=2.0)]
    second: list[Record] = [start("b", seed=1), epoch("b", seconds=4.0)]
    (series,) = figures_of(first, second)["accuracy-seconds"].series

    assert series.x == [3.0]


def test_curves_of_a_setting_are_shown_with_it() -> None:
    runs = [run_of("a"), run_of("b", workers=4), run_of("c", algorithm="psgd")]
    figure = figures_of(*runs)["accuracy-epochs"]

    assert {(s.name, s.setting) for s in figure.series} == {
        ("ddp", "workers 2"),
        ("ddp", "workers 4"),
        ("psgd", "workers 2"),
    }


@given(st.lists(st.floats(0.01, 1e4), min_size=1, max_size=4), st.integers(1, 22))
def test_parts_sum_to_the_seconds_of_an_epoch(seconds: list[float], timed: int) -> None:
    rows = rows_of(*(run_of(str(seed), [{"seconds": s, "timed": timed}], seed=seed) for seed, s in enumerate(seconds)))
    whole = rows[0].metrics["seconds_per_epoch"]
    assert whole is not None

    assert pytest.approx(whole.mean) == sum(row_parts(rows[0]).values())


def test_bars_have_the_recorded_parts() -> None:
    parts: dict[str, Any] = {
        "compute_seconds": 1.0,
        "exposed_wire_seconds": 3.0,
        "exposed_compress_seconds": 0.5,
        "other_seconds": 1.5,
    }
    trained = dataclasses.replace(epoch("d", seconds=6.0), **parts)
    bars = heights(figures_of([start("d"), trained, end("d")])["epoch-time"])

    assert {(None, "ddp"): pytest.approx([1.0, 3.0, 0.5, 1.5])} == bars


def test_undivided_exposed_time_is_divided_in_proportion_to_busy_times() -> None:
    bars = heights(figures_of(run_of("d", [{"seconds": 6.0}]))["epoch-time"])

    # Computing 3 s; of 3 exposed ones compressing (6/8 s) has a third of it and communicating (6/4 s): 1 to 2.
    assert {(None, "ddp"): pytest.approx([3.0, 1.0, 2.0])} == bars


def test_stacked_bars_have_one_series_per_part() -> None:
    figure = figures_of(BASE, run_of("p", algorithm="psgd"))["epoch-time"]

    assert (figure.stacked, [(s.name, s.variant) for s in figure.series]) == (
        True,
        2 * [("computing", 0), ("compressing", 2), ("waiting for the network", 4)],
    )


def test_bars_by_link_are_shares_of_the_baseline_on_it() -> None:
    runs = [*by_link("ddp", {"1mbit": 4.0, "4mbit": 1.0}), *by_link("psgd", {"1mbit": 2.0, "4mbit": 1.5})]
    bars = {place: sum(parts) for place, parts in heights(figures_of(*runs)["epoch-time-links"]).items()}

    assert bars == pytest.approx(
        {("1mbit", "ddp"): 1.0, ("1mbit", "psgd"): 0.5, ("4mbit", "ddp"): 1.0, ("4mbit", "psgd"): 1.5}
    )


def test_the_baseline_is_1_high_over_seeds_too() -> None:
    runs = [run for seed in (0, 1) for run in by_link("ddp", {"1mbit": 4.0 + seed, "4mbit": 1.0 + seed}, seed=seed)]
    bars = heights(figures_of(*runs)["epoch-time-links"])

    assert [pytest.approx(1.0)] * 2 == [sum(parts) for parts in bars.values()]


def test_links_are_sorted_from_the_slowest_on() -> None:
    links = ["none", "1gbit", {"up": "2mbit", "down": "1gbit"}, "20mbit", "100mbit"]
    runs = [run_of(f"{algorithm}{link}", algorithm=algorithm, link=link) for algorithm in "ab" for link in links]
    figure = next(f for f in all_figures(comparison_of(*runs, baseline="a")) if f.key == "epoch-time-links")

    assert list(dict.fromkeys(series.group for series in figure.series)) == [
        "2mbit↑ 1gbit↓",
        "20mbit",
        "100mbit",
        "1gbit",
        "none",
    ]


def test_lines_over_rates_go_up_and_have_intervals() -> None:
    seconds = {"1gbit": 1.0, "20mbit": 3.0, "100mbit": 2.0, "none": 0.5}
    runs = [*by_link("ddp", seconds), *by_link("ddp", {"1gbit": 3.0, "20mbit": 3.0, "100mbit": 2.0}, seed=1)]
    found = figures_of(*runs)
    time, speedup = line(found["rates"], "ddp"), line(found["break-even"], "ddp")
    assert time.interval is not None

    # At 1 Gbit/s 2 ± 12.706 · √2 / √2
    assert (time.x, time.y, speedup.y) == ([2e7, 1e8, 1e9], [3.0, 2.0, 2.0], [1.0, 1.0, 1.0])
    assert pytest.approx([3.0, 2.0, 2 + 12.7062], abs=1e-4) == time.interval[1]


def test_speed_ups_over_rates() -> None:
    runs = [*by_link("ddp", {"1mbit": 4.0, "4mbit": 1.0}), *by_link("psgd", {"1mbit": 2.0, "4mbit": 2.0})]
    series = line(figures_of(*runs)["break-even"], "psgd")

    assert (series.x, series.y) == ([1e6, 4e6], [2.0, 0.5])


def test_one_rate_makes_no_line() -> None:
    found = figures_of(*by_link("ddp", {"1mbit": 4.0, "none": 1.0}))

    assert {"rates", "break-even", "workers"}.isdisjoint(found)


def test_linear_speed_up_starts_at_the_fewest_workers() -> None:
    seconds = {4: 5.0, 2: 8.0, 8: 4.0}
    figure = figures_of(*(run_of(str(n), [{"seconds": s}], workers=n) for n, s in seconds.items()))["workers"]
    real, linear = line(figure, "ddp"), line(figure, "ddp, linear speed-up")

    assert (real.x, real.y, linear.y, linear.reference) == ([2, 4, 8], [8.0, 5.0, 4.0], [8.0, 4.0, 2.0], True)


def test_linear_speed_up_is_that_of_the_samples_trained() -> None:
    # Of 1437 digits in batches of 32, 2 workers train on 2 × 22 × 32 and 8 workers on 8 × 5 × 32.
    epochs = {2: {"seconds": 8.0, "samples": 1408}, 8: {"seconds": 4.0, "samples": 1280}}
    figure = figures_of(*(run_of(str(n), [one], workers=n) for n, one in epochs.items()))["workers"]

    assert line(figure, "ddp, linear speed-up").y == pytest.approx([8.0, 8.0 / 4 * 1280 / 1408])


def test_linear_speed_up_is_of_one_unit_if_some_samples_are_unknown() -> None:
    epochs = {2: {"seconds": 8.0, "samples": 1408}, 4: {"seconds": 5.0}, 8: {"seconds": 4.0, "samples": 1280}}
    figure = figures_of(*(run_of(str(n), [one], workers=n) for n, one in epochs.items()))["workers"]

    assert line(figure, "ddp, linear speed-up").y == pytest.approx([8.0, 4.0, 2.0])


@pytest.mark.parametrize("per_rank", [None, 32])
def test_a_step_of_a_profile_takes_as_long_on_more_workers_if_none_waits(per_rank: int | None) -> None:
    seconds = {2: 0.1, 4: 0.15, 8: 0.3}
    runs = [only_timed(n, None if per_rank is None else n * per_rank, step_seconds=s) for n, s in seconds.items()]
    figure = figures_of(*runs)["workers"]
    (real,) = [series for series in figure.series if not series.reference]
    (linear,) = [series for series in figure.series if series.reference]

    assert real.x == [2, 4, 8]
    assert real.y == pytest.approx([0.1, 0.15, 0.3])
    assert linear.y == pytest.approx([0.1, 0.1, 0.1])
    assert figure.caption.startswith("A step has one batch per worker: on the dotted line it takes as long")


def test_accuracy_against_bytes_has_a_point_per_method_and_the_front() -> None:
    runs = [
        run_of("d", [{"accuracy": 0.9, "payload": (500, 500)}]),
        run_of("p", [{"accuracy": 0.8, "payload": (50, 50)}], algorithm="psgd"),
        run_of("q", [{"accuracy": 0.7, "payload": (100, 100)}], algorithm="qsgd"),
    ]
    points = {series.name: (series.x, series.y) for series in figures_of(*runs)["pareto"].series}

    assert points == {
        "ddp": ([1000], [0.9]),
        "psgd": ([100], [0.8]),
        "qsgd": ([200], [0.7]),
        "front": ([100, 1000], [0.8, 0.9]),
    }


POINTS = st.lists(st.tuples(st.integers(0, 5).map(float), st.integers(0, 5).map(float)), min_size=1, max_size=12)


def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] <= other[0] and one[1] >= other[1]


@given(POINTS)
def test_the_front_holds_the_points_that_no_other_beats(points: list[tuple[float, float]]) -> None:
    front = list(pareto_front(points))

    assert front == sorted({p for p in points if not any(beats(other, p) for other in points)})


def test_traffic_is_that_of_every_rank() -> None:
    runs = [
        run_of("d", [{"payload": (1, 1)}, {"payload": (300, 500)}]),
        run_of("p", [{"payload": (1, 2, 3)}], algorithm="psgd", workers=3),
    ]
    bars = {series.name: (series.setting, series.x, series.y) for series in figures_of(*runs)["ranks"].series}

    assert bars == {
        "ddp": ("workers 2", ["rank 0", "rank 1"], [600.0, 1000.0]),
        "psgd": ("workers 3", ["rank 0", "rank 1", "rank 2"], [2.0, 4.0, 6.0]),
    }


def test_variants_keep_their_number_and_name_in_every_figure() -> None:
    runs = [
        run_of(f"{ratio}{link}", algorithm="psgd", link=link, compressor={"name": "top_k", "ratio": ratio})
        for ratio, link in itertools.product((0.1, 0.2), ("1mbit", "2mbit"))
    ]
    seen = {
        (series.name, series.variant)
        for figure in figures_of(*runs).values()
        if not figure.stacked
        for series in figure.series
        if not series.reference
    }

    assert seen == {("psgd ratio 0.1", 0), ("psgd ratio 0.2", 1)}


ODD: dict[str, list[Record]] = {
    "failed": [start("f", algorithm="failed"), end("f", status="failed", error="lost")],
    "diverged": [start("v", algorithm="diverged"), epoch("v"), end("v", status="diverged", error="not finite")],
    "begun": [start("b", algorithm="begun")],
    "unfinished": [start("u", algorithm="unfinished"), epoch("u"), epoch("u", 2)],
    "warm-up": run_of("w", [{"seconds": 0.0, "timed": 0}] * 2, algorithm="warm-up"),
    "alone": run_of("x", [{"payload": (0,)}], algorithm="alone", workers=1),
    "ddp": BASE,
    "seed": [start("s", seed=1), end("s", status="failed", error="lost")],
}


@given(st.lists(st.sampled_from(list(ODD)), unique=True))
def test_no_row_breaks_a_figure(names: list[str]) -> None:
    found = figures_of(*(ODD[name] for name in names))
    numbers = [
        value
        for figure in found.values()
        for series in figure.series
        for value in (*series.y, *(end for ends in series.interval or () for end in ends))
    ]

    assert [value for value in numbers if not math.isfinite(value)] == []
    assert all(figure.series for figure in found.values())


@pytest.mark.parametrize("names", [[], ["failed"], ["failed", "begun", "seed"]])
def test_without_an_epoch_there_is_no_figure(names: Sequence[str]) -> None:
    assert figures_of(*(ODD[name] for name in names)) == {}


def test_warm_up_alone_has_curves_and_no_times() -> None:
    found = figures_of(ODD["warm-up"])

    assert (line(found["accuracy-epochs"], "warm-up").x, "epoch-time" in found) == ([1, 2], False)


def test_accuracy_against_energy_is_of_rows_whose_energy_is_known() -> None:
    known = [{"accuracy": 0.5, "gpu": {"energy_joules": 300.0}}, {"accuracy": 0.7, "gpu": {"energy_joules": 100.0}}]
    other = [{"accuracy": 0.5, "gpu": {"energy_joules": 300.0}}, {"accuracy": 0.7, "gpu": {"utilisation": 1.0}}]
    figure = figures_of(run_of("d", known), run_of("p", other, algorithm="psgd"), run_of("n", algorithm="liec"))
    (series,) = figure["accuracy-energy"].series

    assert (series.name, series.x, series.y) == ("ddp", [300.0, 400.0], [0.5, 0.7])


def test_figures_come_in_the_order_of_a_report() -> None:
    runs = [run_of(f"{w}{link}", workers=w, link=link) for w, link in itertools.product((2, 4), ("1mbit", "2mbit"))]

    assert list(figures_of(*runs)) == [
        *(f"{y}-{x}" for y in ("accuracy", "loss") for x in ("epochs", "seconds", "bytes")),
        "epoch-time",
        "epoch-time-links",
        "rates",
        "workers",
        "pareto",
        "break-even",
        "ranks",
    ]


def test_language_models_are_drawn_by_loss_against_tokens() -> None:
    epochs = [{"seconds": 4.0, "test_loss": 3.0, "tokens": 1000}, {"seconds": 2.0, "test_loss": 2.0, "tokens": 1000}]
    figures = figures_of(run_of("t", epochs, task={"dataset": {"name": "text"}, "model": {"name": "gpt"}}), BASE)
    keys = ("test-loss-tokens", "test-loss-seconds", "perplexity-tokens", "accuracy-epochs", "pareto-loss")
    loss, by_seconds, perplexity, accuracy, pareto = (figures[key].series[0] for key in keys)

    assert (loss.x, loss.y, by_seconds.x, by_seconds.y) == ([1000, 2000], [3.0, 2.0], [4, 6], [3.0, 2.0])
    assert pytest.approx([math.exp(3), math.exp(2)]) == perplexity.y
    assert (accuracy.x, accuracy.y, pareto.y) == ([1, 2], [0.5, 0.7], [2.0])
