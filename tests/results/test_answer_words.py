import dataclasses
from typing import Any

import pytest

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.report.table_texts import caption
from liecbench.results.answer_remarks import remark_lines
from liecbench.results.records import Epoch, Record
from tests.ledgers import comparison_of, end, run_of, start


def runs(name: str, seconds: float, accuracy: float = 0.9, num_seeds: int = 4, **fields: Any) -> list[list[Record]]:
    return [
        run_of(
            f"{name}{seed}{fields}", [{"seconds": seconds, "accuracy": accuracy}], algorithm=name, seed=seed, **fields
        )
        for seed in range(num_seeds)
    ]


def answers(*groups: list[list[Record]]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return (outcome, line, remarks on it) for each setting."""
    found = comparison_of(*(run for group in groups for run in group))
    return [(one.outcome, one.line, tuple(remark_lines([one], found.words))) for one in found.answers]


def test_the_fastest_method_that_keeps_the_accuracy_is_to_be_used() -> None:
    (found,) = answers(runs("ddp", 4.0), runs("liec", 1.0), runs("psgd", 0.5, 0.8))

    # The half-width of equal accuracies: Student's 3.18 times the resolution of 0.001, over the root of four seeds.
    assert found == (
        "yes",
        "On 20mbit: use liec, 4.00× as fast as ddp, and it keeps the accuracy within 0.5 points "
        "(+0.0 points, -0.2 to +0.2, after 4 seeds)",
        ("faster, but shown to lose more than 0.5 points of accuracy: psgd (8.00×, -10.0 points)",),
    )


@pytest.mark.parametrize(
    ("fixed", "others", "name"),
    [
        ({"workers": 2}, [], "ddp"),
        ({"workers": 2, "learning_rate": 0.1}, [], "ddp"),
        ({"workers": 2}, [("psgd", {"workers": 4})], "ddp with workers 2"),
        ({"workers": 2, "threads": 1}, [("ddp", {"workers": 4})], "ddp with workers 2"),
        ({"learning_rate": 0.1}, [("psgd", {"task": {"learning_rate": 0.2}})], "ddp"),
        ({"learning_rate": 0.1}, [("ddp", {"task": {"learning_rate": 0.2}})], "ddp with learning rate 0.1"),
    ],
)
def test_the_baseline_has_the_fields_that_tell_it_apart(
    fixed: dict[str, Any], others: list[tuple[str, dict[str, Any]]], name: str
) -> None:
    further = [run for other, fields in others for run in runs(other, 8.0, **fields)]

    found = comparison_of(
        *runs("ddp", 4.0), *runs("liec", 1.0), *further, baseline=BaselineChoice(algorithm="ddp", fixed=fixed)
    )

    lines = [one.line for one in found.answers]
    assert any(f", 4.00× as fast as {name}, and it keeps" in line for line in lines), lines
    assert caption(found).split("\n")[1].split("; ")[0] == f"* the baseline, {name}"


def test_without_a_gain_the_answer_is_no() -> None:
    (slower,) = answers(runs("ddp", 1.0), runs("liec", 2.0))
    (losing,) = answers(runs("ddp", 4.0), runs("psgd", 0.5, 0.8))

    assert slower[:2] == (
        "no",
        "On 20mbit: stay with ddp; every other method is slower (the closest, liec, is 0.50× as fast)",
    )
    assert losing == (
        "no",
        "On 20mbit: stay with ddp; every faster method loses accuracy",
        ("faster, but shown to lose more than 0.5 points of accuracy: psgd (8.00×, -10.0 points)",),
    )


def test_without_evidence_the_answer_is_open_and_says_what_to_do() -> None:
    (one_seed,) = answers(runs("ddp", 4.0, num_seeds=1), runs("liec", 1.0, num_seeds=1))

    assert one_seed == (
        "open",
        "On 20mbit: measure again; liec was 4.00× as fast in its only measurement",
        ("run 5 seeds in all (1 was run) with `liecbench run SCENARIO --seeds 5`, or use timing: interleaved",),
    )


def test_if_nothing_is_shown_the_answer_is_to_stay() -> None:
    wild = [
        run_of(f"l{seed}", [{"seconds": seconds, "accuracy": 0.9}], algorithm="liec", seed=seed)
        for seed, seconds in enumerate((1.0, 4.0))
    ]
    (found,) = answers(runs("ddp", 1.0, num_seeds=2), wild)

    # The geometric mean of 1 and 1/4.
    assert found == (
        "open",
        "On 20mbit: stay with ddp; no method is shown to be faster (the closest, liec, is 0.50× as fast)",
        ("run 5 seeds in all (2 were run) with `liecbench run SCENARIO --seeds 5`, or use timing: interleaved",),
    )


def test_without_a_gain_over_the_rows_without_compression_the_answer_is_to_do_without() -> None:
    wild = [
        run_of(f"b{seed}", [{"seconds": seconds, "accuracy": 0.9}], algorithm="ddp_bf16", seed=seed)
        for seed, seconds in enumerate((0.5, 4.0, 1.0, 2.0))
    ]
    (found,) = answers(runs("ddp", 4.0), runs("liec", 2.0), wild)

    assert found[:2] == (
        "open",
        "On 20mbit: do without compression; the fastest method is liec, 2.00× as fast as ddp, "
        "but it is not shown to beat the fastest method without compression",
    )


def test_a_method_that_is_faster_tells_how_many_seeds_were_run_and_how_many_are_needed_in_all() -> None:
    near = [
        run_of(f"l{seed}", [{"seconds": 1.0, "accuracy": accuracy}], algorithm="liec", seed=seed)
        for seed, accuracy in enumerate((0.9, 0.91, 0.89))
    ]
    (found,) = answers(runs("ddp", 4.0, num_seeds=3), near)

    # ± 4.30 · 1 point / √3
    assert found[1] == (
        "On 20mbit: try liec, 4.00× as fast as ddp, but it is not known yet whether it keeps the accuracy "
        "within 0.5 points (+0.0 points, -2.5 to +2.5, after 3 seeds)"
    )
    assert found[2][0].startswith("about 31 more seeds (34 in all) are needed to know whether liec keeps the accuracy:")


def test_a_gain_is_told_before_the_accuracy_is_known() -> None:
    varying = [
        run_of(f"l{seed}", [{"seconds": 1.0, "accuracy": accuracy}], algorithm="liec", seed=seed)
        for seed, accuracy in enumerate((0.9, 0.8, 0.95, 0.85))
    ]
    (found,) = answers(runs("ddp", 4.0), varying)

    assert found[0] == "faster"
    assert found[1].startswith(
        "On 20mbit: try liec, 4.00× as fast as ddp, but it is not known yet whether it keeps the accuracy within "
        "0.5 points (-2.5 points, "
    )
    assert found[2][0].startswith("over 100 seeds would be needed to know whether liec keeps the accuracy")


def test_a_method_that_probably_loses_accuracy_is_not_to_be_tried() -> None:
    """Of six methods that lose 3 to 5 points with 3 seeds, none is shown to, adjusted for six comparisons."""
    dropping = [
        run_of(f"{name}{seed}", [{"seconds": 1.0, "accuracy": accuracy}], algorithm=name, seed=seed)
        for name in ("liec", "memsgd", "doublesqueeze", "csgd", "ef21", "cser")
        for seed, accuracy in enumerate((0.87, 0.85, 0.86))
    ]
    (found,) = answers(runs("ddp", 4.0, num_seeds=3), dropping)

    assert found[:2] == ("open", "On 20mbit: stay with ddp; every faster method probably loses accuracy")
    (remark,) = found[2]
    assert remark.startswith("faster, but likely to lose more than 0.5 points of accuracy: ")
    assert "liec (4.00×, -4.0 points)" in remark


def test_a_faster_method_that_more_seeds_may_show_to_keep_the_accuracy_is_told_with_the_command() -> None:
    near = [
        run_of(f"p{seed}", [{"seconds": 0.5, "accuracy": accuracy}], algorithm="psgd", seed=seed)
        for seed, accuracy in enumerate((0.9, 0.91, 0.89, 0.9))
    ]
    (found,) = answers(runs("ddp", 4.0), runs("liec", 1.0), near)

    # ± 3.18 · 0.82 points / √4
    assert found[2] == (
        "faster, but not known yet to keep the accuracy within 0.5 points: psgd (8.00×, +0.0 points, at worst -1.3)",
        "about 19 more seeds (23 in all) are needed to know whether psgd keeps the accuracy: "
        "`liecbench run SCENARIO --seeds 23`",
    )


def test_a_method_with_fewer_seeds_than_another_asks_for_those_that_it_lacks() -> None:
    varying = [
        run_of(f"p{seed}", [{"seconds": 1.0, "accuracy": accuracy}], algorithm="psgd", seed=seed)
        for seed, accuracy in enumerate((0.9, 0.92, 0.88, 0.91, 0.89, 0.9, 0.92, 0.88))
    ]
    few = [
        run_of(f"c{seed}", [{"seconds": 1.0, "accuracy": accuracy}], algorithm="cser", seed=seed)
        for seed, accuracy in enumerate((0.9, 0.906, 0.9))
    ]
    (found,) = answers(runs("ddp", 4.0, num_seeds=8), varying, few)

    # cser: (2.57 + 0.92) · 0.346 points / √6 ≤ 0.5, but (2.78 + 0.94) · 0.346 / √5 is not. psgd needs more.
    assert found[2][-1].startswith("about 3 more seeds (6 in all) are needed to know whether any of psgd and cser")


def loaded(share: float, found: list[list[Record]]) -> list[list[Record]]:
    """Return runs during which other processes used this share of the CPU."""
    return [
        [dataclasses.replace(one, other_cpu_share=share) if isinstance(one, Epoch) else one for one in run]
        for run in found
    ]


def test_a_faster_method_that_was_disturbed_is_passed_over_for_that() -> None:
    varying, dense = (
        [
            run_of(f"{name}{seed}", [{"seconds": seconds, "accuracy": accuracy}], algorithm=name, seed=seed)
            for seed, accuracy in enumerate((0.9, 0.8, 0.95, 0.85))
        ]
        for name, seconds in (("liec", 1.0), ("ddp_bf16", 2.0))
    )
    # The first differs too much from ddp, the second only from ddp_bf16, the fastest method without compression.
    (apart,) = answers(loaded(0.02, [*runs("ddp", 4.0), *varying]), loaded(0.41, runs("psgd", 0.5)))
    (from_dense,) = answers(
        loaded(0.2, [*runs("ddp", 4.0), *varying]),
        loaded(0.12, dense),
        loaded(0.28, runs("psgd", 0.5)),
    )

    for found, lacks in ((apart, "not ranked"), (from_dense, "not compared with ddp_bf16")):
        assert found[1].startswith("On 20mbit: try liec, 4.00×")
        expected = f"faster, but {lacks}, because other processes disturbed the runs: psgd (8.00×, +0.0 points)"
        assert found[2][0] == expected


def test_a_loss_is_the_reason_even_for_a_method_that_was_disturbed() -> None:
    (found,) = answers(loaded(0.02, [*runs("ddp", 4.0), *runs("liec", 1.0)]), loaded(0.41, runs("psgd", 0.5, 0.8)))

    assert found[1].startswith("On 20mbit: use liec, 4.00×")
    assert found[2] == ("faster, but shown to lose more than 0.5 points of accuracy: psgd (8.00×, -10.0 points)",)


def test_settings_share_what_they_have_in_common() -> None:
    groups = [
        group
        for link, seconds in (("1mbit", 1.0), ("10mbit", 2.0))
        for group in (runs("ddp", 4.0, link=link), runs("liec", 3.0, link=link), runs("psgd", seconds, 0.8, link=link))
    ]
    slow = [runs("cser", 1.0, 0.8, link="1mbit"), runs("cser", 8.0, 0.8, link="10mbit")]
    found = comparison_of(*(run for group in (*groups, *slow) for run in group))

    assert list(remark_lines(found.answers, found.words)) == [
        "faster, but shown to lose more than 0.5 points of accuracy: "
        "psgd (2.00× on 10mbit to 4.00× on 1mbit, -10.0 points) and cser on 1mbit (4.00×, -10.0 points)"
    ]


def test_a_missing_or_failed_baseline_is_the_answer() -> None:
    failed: list[Record] = [start("d"), end("d", status="failed", error="no")]
    (found,) = answers([failed], runs("liec", 1.0))

    assert found[0] == "open"
    assert found[1].startswith("On 20mbit: nothing to compare with: ddp did not complete")
    assert answers(runs("liec", 1.0))[0][1] == "On 20mbit: no answer, because ddp is missing here; run it, too"
    assert answers(runs("ddp", 1.0)) == []


@pytest.mark.parametrize(
    ("link", "place"),
    [("none", "Without a rate limit"), ({"up": "10mbit", "down": "50mbit"}, "On 10mbit↑ 50mbit↓")],
)
def test_the_place_is_the_link_in_words(link: Any, place: str) -> None:
    (found,) = answers(runs("ddp", 1.0, link=link), runs("liec", 2.0, link=link))

    assert found[1].partition(":")[0] == place
