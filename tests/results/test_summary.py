from collections.abc import Sequence
from typing import Any

import pytest

from liecbench.results import summary
from liecbench.results.records import Record
from liecbench.results.statistics import Estimate
from tests.ledgers import comparison_of, end, run_of, start

# Half of an epoch is exposed; compressing takes an eighth of it and communicating a quarter.
WAITS = "; it computes 50%, compresses 17% and waits 33% of its time (ddp waits 33%)"


def lines_of(*runs: list[Record], baseline: str = "ddp", target: float | None = None) -> list[str]:
    return list(comparison_of(*runs, baseline=baseline, target_accuracy=target).verdict)


def run(algorithm: str, *epochs: tuple[float, float], **fields: Any) -> list[Record]:
    """Return a run with these epochs, each its seconds and its accuracy."""
    values = [{"seconds": seconds, "accuracy": accuracy} for seconds, accuracy in epochs]
    return run_of(f"{algorithm}{fields}", values, algorithm=algorithm, **fields)


def test_the_fastest_per_epoch_is_named() -> None:
    actual = lines_of(run("ddp", (4.0, 0.9)), run("psgd", (2.0, 0.91)), run("liec", (3.0, 0.9)))

    assert actual == [f"fastest per epoch is psgd, 2.00× ddp's speed, accuracy +1.0 points{WAITS}"]


def test_ratios_and_differences_are_seed_by_seed() -> None:
    runs = [run("ddp", (2.0, 0.9)), run("ddp", (4.0, 0.8), seed=1)]
    rivals = [run("psgd", (1.0, 0.91)), run("psgd", (4.0, 0.83), seed=1)]

    # 2 and 1: 1.5 ± 12.706 · 0.5; +1 and +3 points: 2 ± 12.706 · 1
    assert lines_of(*runs, *rivals) == [
        "fastest per epoch is psgd, 1.50× ±6.35× ddp's speed (not shown to be faster), "
        f"accuracy +2.0 points ±12.7{WAITS}"
    ]


def test_the_fastest_that_loses_accuracy_is_followed_by_one_that_does_not() -> None:
    runs = [run("ddp", (4.0, 0.9)), run("signsgd", (1.0, 0.8)), run("liec", (2.0, 0.896)), run("psgd", (1.5, 0.894))]

    assert lines_of(*runs) == [
        f"fastest per epoch is signsgd, 4.00× ddp's speed, accuracy -10.0 points{WAITS}",
        "at ddp's accuracy it is liec, 2.00×, accuracy -0.4 points",
    ]


@pytest.mark.parametrize("others", [[], [run("liec", (4.5, 0.9))], [run("liec", (4.0, 0.9))]])
def test_the_verdict_says_if_every_faster_method_costs_accuracy(others: list[list[Record]]) -> None:
    actual = lines_of(run("ddp", (4.0, 0.9)), run("signsgd", (1.0, 0.8)), *others)

    assert actual[1:] == ["no method is faster at ddp's accuracy"]


@pytest.mark.parametrize(("seconds", "ratio"), [(8.0, "0.50×"), (4.0, "1.00×")])
def test_no_method_may_beat_the_baseline(seconds: float, ratio: str) -> None:
    actual = lines_of(run("ddp", (4.0, 0.9)), run("psgd", (seconds, 0.9)), run("liec", (9.0, 0.9)))

    assert actual == [f"no method beats ddp; the fastest, psgd, has {ratio} its speed"]


def test_with_a_target_the_time_to_it_decides() -> None:
    base, fast = run("ddp", (4.0, 0.5), (4.0, 0.9)), run("liec", (3.0, 0.9), (3.0, 0.9))
    actual = lines_of(base, fast, run("psgd", (2.0, 0.5), (2.0, 0.7)), target=0.8)

    # 8 s to the target ÷ 3 s, though psgd's epochs are shorter
    assert actual == [f"fastest to 80% is liec, 2.67× ddp's speed, accuracy +0.0 points{WAITS}"]


def test_short_epochs_that_need_too_many_do_not_win() -> None:
    base, many = run("ddp", (4.0, 0.9)), run("psgd", *[(1.0, 0.5)] * 4, (1.0, 0.9))

    assert lines_of(base, many, target=0.8) == [
        "no method beats ddp to 80%; the fastest, psgd, has 0.80× its speed",
    ]


def test_long_epochs_that_need_few_win() -> None:
    base, few = run("ddp", (2.0, 0.5), (2.0, 0.9)), run("cser", (2.5, 0.9), (2.5, 0.9))

    assert lines_of(base, few, target=0.8) == [
        f"fastest to 80% is cser, 1.60× ddp's speed, accuracy +0.0 points{WAITS}"
    ]


def test_a_target_that_the_baseline_misses_has_no_ratio() -> None:
    runs = [run("ddp", (2.0, 0.7)), run("psgd", (4.0, 0.9))]

    assert lines_of(*runs, target=0.8) == ["fastest to 80% is psgd; ddp does not get there; accuracy +20.0 points"]


def test_a_target_that_the_baseline_reaches_with_some_seeds_has_no_ratio() -> None:
    base = run("ddp", (2.0, 0.9)), run("ddp", (2.0, 0.7), seed=1)
    runs = [*base, run("psgd", (4.0, 0.9)), run("psgd", (4.0, 0.9), seed=1)]
    (line,) = lines_of(*runs, target=0.8)

    assert line.startswith("fastest to 80% is psgd; ddp gets there with 1 of 2 seeds; accuracy +10.0 points")


def test_a_target_that_only_the_baseline_reaches() -> None:
    assert lines_of(run("ddp", (2.0, 0.9)), run("psgd", (1.0, 0.7)), target=0.8) == [
        "only ddp reaches 80% with every seed"
    ]


def test_a_baseline_that_ends_higher_may_miss_the_target() -> None:
    base = run("ddp", (2.0, 0.7), (2.0, 0.7))
    falling = run("psgd", (1.0, 0.9), (1.0, 0.6)), run("liec", (1.5, 0.85), (1.5, 0.7))

    assert lines_of(base, *falling, target=0.8) == [
        "fastest to 80% is psgd; ddp does not get there; accuracy -10.0 points",
    ]


def test_if_no_method_reaches_the_target_epochs_are_compared() -> None:
    runs = [run("ddp", (4.0, 0.9)), run("psgd", (2.0, 0.9))]

    assert lines_of(*runs, target=0.955) == [
        "no method reaches 95.5% with every seed",
        f"fastest per epoch is psgd, 2.00× ddp's speed, accuracy +0.0 points{WAITS}",
    ]


def test_a_seed_that_failed_has_not_reached_the_target() -> None:
    lost: list[Record] = [start("l", algorithm="psgd", seed=1), end("l", status="failed", error="lost")]
    runs = [run("ddp", (4.0, 0.9)), run("ddp", (4.0, 0.9), seed=1), run("psgd", (1.0, 0.9)), lost]

    assert lines_of(*runs, run("liec", (2.0, 0.9)), target=0.8) == [
        f"fastest to 80% is liec, 2.00× ddp's speed, accuracy +0.0 points{WAITS}",
        "not complete: psgd (1/2 failed)",
    ]
    assert lines_of(*runs)[0].startswith("fastest per epoch is psgd (1/2 failed), 4.00×")


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_a_failed_method_is_not_the_fastest(status: Any) -> None:
    lost: list[Record] = [start("l", algorithm="liec"), end("l", status=status, error="lost")]

    assert [line.split(",")[0] for line in lines_of(run("ddp", (4.0, 0.9)), run("psgd", (2.0, 0.9)), lost)] == [
        "fastest per epoch is psgd",
        "not complete: liec (1/1 failed)",
    ]


LOST: list[Record] = [start("l"), end("l", status="failed", error="lost")]


@pytest.mark.parametrize(
    "runs",
    [
        [],
        [run("ddp", (4.0, 0.9))],
        [run("psgd", (4.0, 0.9)), run("liec", (2.0, 0.9))],
        [run("ddp", (4.0, 0.9), workers=4), run("psgd", (4.0, 0.9), workers=2)],
    ],
)
def test_without_a_comparison_there_is_no_verdict(runs: Sequence[list[Record]]) -> None:
    assert lines_of(*runs) == []


@pytest.mark.parametrize(
    "runs",
    [
        [run("ddp", (4.0, 0.9)), run("psgd", (4.0, 0.9), seed=1)],
        [LOST, run("psgd", (4.0, 0.9))],
        [run_of("a", [{"timed": 0}]), run_of("b", [{"timed": 0}], algorithm="psgd")],
    ],
)
def test_a_baseline_without_times_of_the_same_seeds_is_named(runs: Sequence[list[Record]]) -> None:
    assert lines_of(*runs)[0] == "nothing to compare with: ddp has no times of the same seeds"


def test_every_setting_has_its_line_and_methods_their_break_even() -> None:
    seconds = {"ddp": (3.0, 1.5), "psgd": (2.0, 2.0), "liec": (1.5, 1.0), "neolithic": (4.0, 4.0)}  # 1 + 20 Mbit ÷ rate
    runs = [
        run(algorithm, (value, 0.9), link=link)
        for algorithm, values in seconds.items()
        for link, value in zip(("10mbit", "40mbit"), values, strict=True)
    ]

    assert lines_of(*runs) == [
        f"10mbit: fastest per epoch is liec, 2.00× ddp's speed, accuracy +0.0 points{WAITS}",
        f"40mbit: fastest per epoch is liec, 1.50× ddp's speed, accuracy +0.0 points{WAITS}",
        "faster than ddp at every rate from 10mbit to 40mbit: liec",
        "slower than ddp at every rate from 10mbit to 40mbit: neolithic",
        "psgd: faster than ddp below 20 Mbit/s",
    ]


def crossing(algorithm: str, at: Sequence[float], seconds: dict[str, float], **fields: Any) -> list[list[Record]]:
    """Return a method and a baseline of 1 + crossing ÷ rate seconds, one seed per crossing in Mbit/s."""
    return [
        run(name, (value, 0.9), link=link, seed=seed, **fields)
        for seed, rate in enumerate(at)
        for link, method in seconds.items()
        for name, value in (("ddp", 1 + rate / float(link.removesuffix("mbit"))), (algorithm, method))
    ]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ((18, 20, 22), "20 Mbit/s (15 Mbit/s to 25 Mbit/s)"),
        ((10.1, 20, 39), "23 Mbit/s (less than 10 Mbit/s to more than 40 Mbit/s)"),  # 23 ± 36.5
    ],
)
def test_a_break_even_has_its_interval(at: Sequence[float], expected: str) -> None:
    actual = lines_of(*crossing("psgd", at, {"10mbit": 2.0, "40mbit": 2.0}))

    assert actual[-1] == f"psgd: faster than ddp below {expected}"


def test_break_evens_of_several_settings_are_named_with_them() -> None:
    runs = [r for n in (2, 4) for r in crossing("psgd", [20], {"10mbit": 2.0, "40mbit": 2.0}, workers=n)]

    assert lines_of(*runs)[-2:] == [f"psgd · workers {n}: faster than ddp below 20 Mbit/s" for n in (2, 4)]


def test_a_method_may_be_too_close_to_call() -> None:
    links = {"10mbit": (2.0, 1.0), "20mbit": (1.0, 2.0), "40mbit": (2.0, 1.0)}
    runs = [
        run(name, (seconds, 0.9), link=link)
        for link, both in links.items()
        for name, seconds in zip(("ddp", "psgd"), both, strict=True)
    ]

    assert lines_of(*runs)[-1] == "psgd: too close to ddp to call from 10mbit to 40mbit"


def test_the_verdict_counts_seeds_that_cross() -> None:
    runs = [
        run(name, (seconds, 0.9), link=link, seed=seed)
        for link, speedups in {"10mbit": (1.5, 0.9), "40mbit": (1.1, 0.8)}.items()
        for seed, speedup in enumerate(speedups)
        for name, seconds in (("ddp", 1.0), ("psgd", 1 / speedup))
    ]

    assert lines_of(*runs)[-1] == "psgd: faster than ddp below 23.5 Mbit/s (0 of 2 seeds cross)"


def test_the_verdict_names_the_baseline() -> None:
    actual = lines_of(run("ddp", (4.0, 0.9)), run("psgd", (2.0, 0.9)), baseline="psgd")

    assert actual == ["no method beats psgd; the fastest, ddp, has 0.50× its speed"]


def test_names_with_markup_stay_as_they_are() -> None:
    actual = lines_of(run("ddp", (4.0, 0.9)), run("<b>[red]&amp;</b>", (2.0, 0.9)))

    assert actual[0].startswith("fastest per epoch is <b>[red]&amp;</b>, 2.00×")


@pytest.mark.parametrize(
    ("mean", "low", "high", "expected"),
    [
        (0.01, None, None, True),
        (-0.005, None, None, True),
        (-0.006, None, None, False),
        (-0.02, -0.05, 0.01, False),
        (-0.02, -0.03, -0.01, False),
    ],
)
def test_half_a_point_less_still_keeps_the_accuracy(
    mean: float, low: float | None, high: float | None, expected: bool
) -> None:
    actual = summary.keeps_accuracy(Estimate(mean=mean, low=low, high=high))

    assert expected == actual


def test_an_unknown_accuracy_is_not_kept() -> None:
    assert (summary.keeps_accuracy(None), summary.difference_text(None)) == (False, "unknown")
