from typing import Any

import pytest

from liecbench.results.records import Record
from tests.ledgers import comparison_of, end, run_of, start


def runs(name: str, seconds: float, accuracy: float = 0.9, num_seeds: int = 4, **fields: Any) -> list[list[Record]]:
    return [
        run_of(
            f"{name}{seed}{fields}", [{"seconds": seconds, "accuracy": accuracy}], algorithm=name, seed=seed, **fields
        )
        for seed in range(num_seeds)
    ]


def answers(*groups: list[list[Record]]) -> list[tuple[str, str, tuple[str, ...]]]:
    found = comparison_of(*(run for group in groups for run in group)).answers
    return [(one.outcome, one.line, one.remarks) for one in found]


def test_the_fastest_method_that_keeps_the_accuracy_is_to_be_used() -> None:
    (found,) = answers(runs("ddp", 4.0), runs("liec", 1.0), runs("psgd", 0.5, 0.8))

    # The half-width of equal accuracies: Student's 3.18 times the resolution of 0.001, over the root of four seeds.
    assert found == (
        "yes",
        "On 20mbit: use liec: 4.00× as fast as ddp, accuracy kept: +0.0 points (-0.2 to +0.2)",
        ("psgd: 8.00× as fast as ddp, accuracy lost: -10.0 points (-10.2 to -9.8)",),
    )


def test_without_a_gain_the_answer_is_no() -> None:
    (slower,) = answers(runs("ddp", 1.0), runs("liec", 2.0))
    (losing,) = answers(runs("ddp", 4.0), runs("psgd", 0.5, 0.8))

    assert slower[:2] == (
        "no",
        "On 20mbit: no, keep ddp: every other method is slower; the closest is liec: 0.50× as fast as ddp",
    )
    assert losing[0] == "no"
    assert losing[1].startswith("On 20mbit: no: every faster method loses accuracy; the fastest is psgd: 8.00×")


def test_without_evidence_the_answer_is_open_and_says_what_to_do() -> None:
    (one_seed,) = answers(runs("ddp", 4.0, num_seeds=1), runs("liec", 1.0, num_seeds=1))

    assert one_seed[0] == "open"
    assert "--seeds 5" in one_seed[2][0]


def test_a_gain_is_told_before_the_accuracy_is_known() -> None:
    varying = [
        run_of(f"l{seed}", [{"seconds": 1.0, "accuracy": accuracy}], algorithm="liec", seed=seed)
        for seed, accuracy in enumerate((0.9, 0.8, 0.95, 0.85))
    ]
    (found,) = answers(runs("ddp", 4.0), varying)

    assert found[0] == "faster"
    assert found[1].startswith("On 20mbit: liec: 4.00× as fast as ddp, accuracy not shown to be kept: -2.5 points (")
    assert found[2][0].startswith("the accuracy of liec varies so much")


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
