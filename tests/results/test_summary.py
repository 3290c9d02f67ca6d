import dataclasses
from typing import Any

import pytest

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.results.environment_record import Environment
from liecbench.results.records import Epoch, Record, Start
from tests.ledgers import comparison_of, end, run_of, start


def lines_of(*runs: list[Record], **settings: Any) -> list[str]:
    return list(comparison_of(*runs, **settings).verdict)


def run(algorithm: str, *epochs: tuple[float, float], **fields: Any) -> list[Record]:
    """Return a run with these epochs, each its seconds and its accuracy, timed while it trained."""
    values = [{"seconds": seconds, "accuracy": accuracy} for seconds, accuracy in epochs]
    return run_of(f"{algorithm}{fields}", values, algorithm=algorithm, timing="end_to_end", **fields)


def runs(algorithm: str, *epochs: tuple[float, float], seeds: int = 3) -> list[list[Record]]:
    """Return one run per seed; their seconds differ by 1 % and their accuracies not at all."""
    return [
        run(algorithm, *((seconds * (1 + 0.01 * ((seed + len(algorithm)) % 3)), a) for seconds, a in epochs), seed=seed)
        for seed in range(seeds)
    ]


def test_the_fastest_is_named_with_its_interval() -> None:
    lines = lines_of(*runs("ddp", (4.0, 0.9)), *runs("psgd", (2.0, 0.9)), *runs("liec", (3.0, 0.9)))

    assert lines[0].startswith("psgd is the fastest: 2.00× (1.9")
    assert lines[0].endswith(" ddp's speed")
    assert lines[1].startswith("accuracy within 0.5 points of ddp's: kept by psgd +0.0 points (-0.2 to +0.2) and liec")
    assert lines[2] == "recommended: psgd, shown to be faster and to keep the accuracy"


def test_one_seed_shows_nothing_and_says_so() -> None:
    lines = lines_of(run("ddp", (4.0, 0.9)), run("psgd", (2.0, 0.91)))

    assert lines == [
        "no method is shown to be faster than ddp: psgd 2.00× (one measurement, error unknown) ddp's speed",
        "accuracy within 0.5 points of ddp's: not known yet for psgd +1.0 points (one seed cannot show this)",
        "no recommendation: no method is shown to be faster; run 5 seeds in all (1 was run) with "
        "`liecbench run SCENARIO --seeds 5`",
    ]


def test_the_resolution_of_the_test_set_stands_beside_one_seed() -> None:
    both = [run("ddp", (4.0, 0.9)), run("psgd", (2.0, 0.9))]
    for one in both:
        assert isinstance(one[0], Start)
        one[0] = dataclasses.replace(
            one[0], environment=Environment.of({"test_set": {"labels": 360, "commonest_share": 0.1}})
        )

    # 1.96 · √(2 · 0.9 · 0.1 / 360), which is 4.4 points; twice the standard error is 4.5
    assert "the size of the test set alone leaves ±4.5 points open" in lines_of(*both)[1]


def test_an_advantage_that_is_shown_is_named_before_a_higher_mean_that_is_not() -> None:
    wild = [run("ef21", (seconds, 0.9), seed=seed) for seed, seconds in enumerate((0.5, 4.0, 1.0))]
    lines = lines_of(*runs("ddp", (4.0, 0.9)), *runs("psgd", (2.0, 0.9)), *wild)

    assert lines[0].startswith("psgd is the fastest: 2.00×")
    assert lines[1].startswith("ef21 3.2")
    assert lines[1].endswith(" may be as fast; these times cannot tell")


def test_every_method_may_be_slower() -> None:
    lines = lines_of(*runs("ddp", (2.0, 0.9)), *runs("psgd", (4.0, 0.9)))

    assert lines[0].startswith("every method is shown to be slower than ddp; the closest: psgd 0.50× (0.4")
    assert lines[2] == "recommended: ddp"


def test_the_command_that_adds_seeds_is_told(tmp_path: Any) -> None:
    spread = [run("psgd", (2.0 + 0.01 * seed, a), seed=seed) for seed, a in enumerate((0.9, 0.91, 0.89))]
    lines = lines_of(*runs("ddp", (4.0, 0.9)), *spread, directories=[tmp_path])

    # Deviation 1 point, tolerance 0.5: ((1.96 + 0.84) / 0.5)² = 31.4, a little more for Student
    assert lines[2].startswith(
        "no recommendation: about 31 more seeds (34 in all) are needed to know whether psgd keeps the accuracy: "
    )
    assert lines[2].endswith(f"`liecbench run {tmp_path}/scenario.yaml --out {tmp_path} --seeds 34`")


def test_an_interval_that_misses_1_by_chance_is_explained() -> None:
    # Ratios of 2, 2.2 and 2.9 have a p-value of 0.02, which two more methods triple.
    chance = [run("psgd", (4.0 / ratio, 0.9), seed=seed) for seed, ratio in enumerate((2.0, 2.2, 2.9))]
    others = [
        run(name, (seconds, 0.9), seed=seed)
        for name in ("liec", "ef21")
        for seed, seconds in enumerate((2.0, 8.0, 4.0))
    ]
    base = [run("ddp", (4.0, 0.9), seed=seed) for seed in range(3)]

    assert comparison_of(*base, *chance).speed_notes == ()
    assert comparison_of(*base, *chance, *others).speed_notes == (
        "with 3 methods compared, an interval may miss 1× by chance; the verdict allows for this, so it says "
        "“not known” beside some such intervals",
    )


def test_different_loads_are_not_ranked() -> None:
    loaded = [
        [dataclasses.replace(r, other_cpu_share=0.41) if isinstance(r, Epoch) else r for r in one]
        for one in runs("psgd", (2.0, 0.9))
    ]
    quiet = [
        [dataclasses.replace(r, other_cpu_share=0.02) if isinstance(r, Epoch) else r for r in one]
        for one in runs("ddp", (4.0, 0.9))
    ]
    lines = lines_of(*quiet, *loaded)

    assert [note.partition(":")[0] for note in comparison_of(*quiet, *loaded).speed_notes] == ["not ranked"]
    assert lines[0] == (
        "not ranked, because other processes used different shares of the CPU: with psgd 41%, with ddp 2%; "
        "run again on an idle machine"
    )
    assert lines[2] == (
        "no recommendation: psgd cannot be ranked, because other processes disturbed the runs; run again on an idle "
        "machine"
    )
    assert lines[3].startswith("psgd: other processes used over 15 % of the CPU")


def test_results_of_earlier_versions_say_how_they_were_timed() -> None:
    lines = lines_of(*[run_of(name, algorithm=name) for name in ("ddp", "psgd")])

    assert lines[-1].startswith("all rows: an earlier version timed them one after the other")


def test_a_baseline_that_learned_nothing_is_compared_with_nothing() -> None:
    both = [run("ddp", (4.0, 0.1)), run("psgd", (2.0, 0.1))]
    for one in both:
        assert isinstance(one[0], Start)
        one[0] = dataclasses.replace(
            one[0], environment=Environment.of({"test_set": {"labels": 360, "commonest_share": 0.1}})
        )

    assert lines_of(*both) == [
        "ddp learned nothing: its accuracy is 10.0%, and always guessing the commonest class gives 10.0%; "
        "nothing is compared with it"
    ]


def test_the_time_to_a_target_is_ranked_from_three_seeds_on() -> None:
    base, fast = ((4.0, 0.5), (4.0, 0.9), (4.0, 0.9)), ((1.0, 0.5), (1.0, 0.9), (1.0, 0.9))
    three = lines_of(*runs("ddp", *base), *runs("psgd", *fast), target_accuracy=0.7)
    two = lines_of(*runs("ddp", *base, seeds=2), *runs("psgd", *fast, seeds=2), target_accuracy=0.7)

    # Halfway between 0.5 and 0.9: one epoch and a half.
    assert three[3].startswith("to 70%: psgd 1.5")
    assert "in 1.5 epochs and ddp 6.0" in three[3]
    assert three[4].startswith("shown to reach 70% sooner than ddp: psgd 4.00× (3.8")
    assert two[-1] == "at least 3 seeds are needed to rank methods by the time to 70%"


def test_a_target_that_nobody_reaches_is_told() -> None:
    lines = lines_of(*runs("ddp", (4.0, 0.5)), *runs("psgd", (2.0, 0.5)), target_accuracy=0.9)

    assert lines[3] == "no method reaches 90% with every seed in two evaluations in a row"


def test_a_target_that_the_baseline_misses_ranks_nothing() -> None:
    lines = lines_of(*runs("ddp", (4.0, 0.5), (4.0, 0.5)), *runs("psgd", (2.0, 0.9), (2.0, 0.9)), target_accuracy=0.8)

    assert lines[-1] == "ddp does not reach 80% with every seed, so methods are not ranked by the time to it"


LOST: list[Record] = [start("l", timing="end_to_end"), end("l", status="failed", error="lost")]
DIVERGED: list[Record] = [*LOST[:1], end("l", status="diverged", error="lost")]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([LOST, run("psgd", (4.0, 0.9))], "nothing to compare with: ddp did not complete (1/1 failed); run it again"),
        ([DIVERGED, run("psgd", (4.0, 0.9))], "nothing to compare with: ddp diverged; lower its learning_rate"),
        (
            [run("ddp", (4.0, 0.9)), run("psgd", (4.0, 0.9), seed=1)],
            "nothing to compare with: ddp shares no timed seed with the others; run the same seeds",
        ),
        (
            [run_of("a", [{"timed": 0}]), run_of("b", [{"timed": 0}], algorithm="psgd")],
            "nothing to compare with: ddp has no times, because all of its steps are warm-up",
        ),
        (
            [
                run_of("a", [{"timed": 0}], timing="trajectory"),
                run_of("b", [{"timed": 0}], timing="trajectory", algorithm="psgd"),
            ],
            "nothing to compare with: ddp has no times, because its steps were not timed yet; run it again",
        ),
    ],
)
def test_a_baseline_without_times_of_the_same_seeds_is_named(given: list[list[Record]], expected: str) -> None:
    assert lines_of(*given)[0] == expected


@pytest.mark.parametrize(
    "given",
    [
        [],
        [run("ddp", (4.0, 0.9))],
        [run("psgd", (4.0, 0.9)), run("liec", (2.0, 0.9))],
    ],
)
def test_without_a_comparison_there_is_no_verdict(given: list[list[Record]]) -> None:
    assert lines_of(*given) == []


def test_a_setting_without_the_baseline_is_named_if_another_has_it() -> None:
    lines = lines_of(run("ddp", (4.0, 0.9), link="20mbit"), run("psgd", (2.0, 0.9), link="100mbit"))

    assert lines == ["100mbit: nothing to compare with: ddp is missing in this setting; run it there, too"]


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_what_did_not_complete_is_listed(status: Any) -> None:
    lost: list[Record] = [start("l", algorithm="liec", timing="end_to_end"), end("l", status=status, error="lost")]
    lines = lines_of(*runs("ddp", (4.0, 0.9)), *runs("psgd", (2.0, 0.9)), lost)

    assert lines[0].startswith("psgd is the fastest")
    assert lines[-1] == "not complete: liec (1/1 failed)"


def test_break_evens_are_brackets_of_measured_rates() -> None:
    seconds = {"ddp": (3.0, 1.5, 1.2), "psgd": (2.0, 2.0, 2.0), "liec": (1.5, 1.0, 1.0), "neolithic": (4.0, 4.0, 4.0)}
    links = ("10mbit", "40mbit", "100mbit")
    given = [
        run(name, (value * (1 + 0.001 * ((seed + len(name)) % 3)), 0.9), link=link, seed=seed)
        for name, values in seconds.items()
        for link, value in zip(links, values, strict=True)
        for seed in range(3)
    ]

    # Half of an epoch of 22 steps computes; the median of the methods' epochs is 2 s.
    assert lines_of(*given)[-4:] == [
        "break-even rates, for steps that compute 46 ms, as measured here:",
        "shown to be faster than ddp from 10mbit to 100mbit: liec",
        "shown to be slower than ddp from 10mbit to 100mbit: neolithic",
        "psgd: faster than ddp below a rate between 10mbit and 40mbit",
    ]


def test_a_flat_crossing_says_that_it_cannot_be_placed() -> None:
    links = {"10mbit": 0.8, "20mbit": 1.001, "40mbit": 0.999, "80mbit": 1.2}
    spread = (0.98, 1.0, 1.02)
    given = [
        run(name, (value * (spread[seed] if name == "psgd" else 1), 0.9), link=link, seed=seed)
        for link, seconds in links.items()
        for name, value in (("ddp", 1.0), ("psgd", seconds))
        for seed in range(3)
    ]

    assert lines_of(*given)[-1] == (
        "psgd: faster than ddp below a rate between 10mbit and 80mbit; between these rates the speed-up is not known "
        "well enough to narrow the range"
    )


def test_the_baseline_may_fix_a_field() -> None:
    given = [r for workers, s in ((2, 8.0), (4, 4.0)) for r in runs_with(workers, s)]
    lines = lines_of(*given, baseline=BaselineChoice(algorithm="liec", fixed={"workers": 2}))

    assert lines[0].startswith("workers 4: liec is the fastest: 2.00× (1.9")
    assert lines[0].endswith(" liec with workers 2's speed")


def runs_with(workers: int, seconds: float) -> list[list[Record]]:
    return [
        run("liec", (seconds * (1 + 0.01 * ((seed + workers) % 3)), 0.9), seed=seed, workers=workers)
        for seed in range(3)
    ]


def test_names_with_markup_stay_as_they_are() -> None:
    lines = lines_of(*runs("ddp", (4.0, 0.9)), *runs("<b>[red]&amp;</b>", (2.0, 0.9)))

    assert lines[0].startswith("<b>[red]&amp;</b> is the fastest: 2.00×")
