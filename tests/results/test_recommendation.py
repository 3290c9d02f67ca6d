import dataclasses
from typing import Any

import pytest

from liecbench.results.accuracy_verdict import AccuracyOutcome, AccuracyVerdict
from liecbench.results.recommendation import Recommendation, recommend
from liecbench.results.rows import Row
from liecbench.results.rows_of_cells import summarise
from liecbench.results.speed_verdict import speed_verdicts
from liecbench.results.statistics import Estimate
from tests.ledgers import cells_of, run_of

SPREAD = (1.0, 1.01, 0.99)


def rows_of(**seconds: float) -> list[Row]:
    """Return rows of three seeds, fastest first, that differ by 1 %."""
    runs = [
        run_of(f"{name}{seed}", [{"seconds": value * SPREAD[(seed + place) % 3]}], algorithm=name, seed=seed)
        for place, (name, value) in enumerate(seconds.items())
        for seed in range(3)
    ]
    return summarise(cells_of(*runs))


def judged(outcome: AccuracyOutcome, seeds_needed: int | None = None) -> AccuracyVerdict:
    return AccuracyVerdict(
        outcome=outcome,
        difference=Estimate(mean=0.0, low=None, high=None),
        is_below=False,
        by_loss=False,
        num_seeds=3,
        seeds_needed=seeds_needed,
        one_seed_error=None,
    )


def recommended(rows: list[Row], **accuracy: Any) -> tuple[str | None, Recommendation]:
    """Return the recommended algorithm and the recommendation, given verdicts by algorithm; others are kept."""
    verdicts = [None if row.is_baseline else accuracy.get(row.algorithm, judged("kept")) for row in rows]
    found = recommend(rows, verdicts, speed_verdicts(rows))
    return (None if found.row is None else rows[found.row].algorithm), found


def test_the_fastest_that_keeps_the_accuracy_is_recommended() -> None:
    rows = rows_of(ddp=4.0, signsgd=1.0, liec=2.0, psgd=3.0)

    assert recommended(rows, signsgd=judged("lost"))[0] == "liec"
    assert recommended(rows, signsgd=judged("not_shown"))[0] == "liec"


def test_nothing_is_recommended_while_a_faster_method_cannot_be_ranked() -> None:
    rows = rows_of(ddp=4.0, signsgd=1.0, liec=2.0, psgd=3.0)
    rows[1] = dataclasses.replace(rows[1], cpu_share_differs=True)
    assert rows[1].algorithm == "liec"

    assert recommended(rows, signsgd=judged("lost")) == (
        None,
        Recommendation(row=None, reason="disturbed", waiting=(1,)),
    )
    assert recommended(rows)[0] == "signsgd"
    assert recommended(rows, signsgd=judged("lost"), liec=judged("lost"))[0] == "psgd"


def test_methods_that_are_not_shown_to_differ_would_do_as_well() -> None:
    rows = rows_of(ddp=4.0, liec=2.0, psgd=2.005)
    name, found = recommended(rows)

    assert {name, *(rows[index].algorithm for index in found.others)} == {"liec", "psgd"}


def test_it_must_beat_the_fastest_row_without_compression() -> None:
    rows = rows_of(ddp=4.0, ddp_bf16=2.0, liec=3.0)

    assert recommended(rows)[0] == "ddp_bf16"
    name, found = recommended(rows, ddp_bf16=judged("not_shown", 7))
    assert (name, found.reason, found.seeds) == (None, "seeds", 7)


@pytest.mark.parametrize(
    ("seconds", "accuracy", "reason", "seeds"),
    [
        ({"ddp": 4.0, "liec": 2.0}, judged("not_shown", 12), "seeds", 12),
        ({"ddp": 4.0, "liec": 2.0}, judged("not_shown"), "seeds", 5),
        ({"ddp": 4.0, "liec": 2.0}, judged("not_shown", 400), "spread", 400),
        ({"ddp": 4.0, "liec": 2.0}, judged("lost"), "lost", None),
        ({"ddp": 4.0, "liec": 4.0}, judged("kept"), "rounds", None),
        ({"ddp": 4.0, "liec": 8.0}, judged("kept"), "baseline", None),
    ],
)
def test_what_is_missing_is_told(seconds: dict[str, float], accuracy: Any, reason: str, seeds: int | None) -> None:
    _, found = recommended(rows_of(**seconds), liec=accuracy)

    assert (found.reason, found.seeds) == (reason, seeds)
