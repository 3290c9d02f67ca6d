from typing import Any

import pytest

from liecbench.results.row_labels import Labels
from liecbench.results.whose_compute import StepCompute, compute_text, step_compute, whose_compute
from tests.ledgers import rows_of, run_of


def compute(seconds: float, source: Any = "measured") -> StepCompute:
    return StepCompute(seconds=seconds, source=source)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"": compute(0.36)}, "for steps that compute 0.36 s, as measured here"),
        ({"": compute(0.00163)}, "for steps that compute 1.6 ms, as measured here"),
        ({"": compute(0.36, "replayed")}, "for steps that compute 0.36 s, as replayed from a profile"),
        ({"workers 2": compute(0.36), "workers 4": compute(0.38)}, "for steps that compute 0.37 s, as measured here"),
        (
            {"workers 2": compute(0.36), "workers 4": compute(0.72)},
            "for steps that compute 0.36 s (workers 2) or 0.72 s (workers 4), as measured here",
        ),
        (
            {"workers 2": compute(0.36), "workers 8": compute(0.36, "replayed")},
            "for steps that compute 0.36 s (workers 2), as measured here, or 0.36 s (workers 8), as replayed from a "
            "profile",
        ),
        (
            {f"workers {n}": compute(0.1 * n) for n in range(1, 7)},
            "for steps that compute 0.1 s to 0.6 s, as measured here",
        ),
        ({"": compute(140.0)}, "for steps that compute 140 s, as measured here"),
        ({}, ""),
    ],
)
def test_the_seconds_of_a_step_are_told_with_their_source(found: dict[str, StepCompute], expected: str) -> None:
    assert compute_text({setting: [one] for setting, one in found.items()}) == expected


def test_the_seconds_of_a_step_are_those_of_the_records() -> None:
    # 22 steps an epoch, of which half the time computes.
    runs = [
        run_of(f"{link} {n}", [{"seconds": 11.0 * n}], workers=n, link=link)
        for link in ("1mbit", "2mbit")
        for n in (2, 4)
    ]
    rows = rows_of(*runs)

    assert step_compute(rows[:1]) == compute(0.5)
    assert whose_compute(rows, Labels(rows)) == (
        "for steps that compute 0.5 s (workers 2) or 1 s (workers 4), as measured here"
    )


def test_the_compute_of_a_replayed_row_is_the_profiles() -> None:
    rows = rows_of(run_of("a", [{"seconds": 11.0}], compute="replayed"))

    assert step_compute(rows) == compute(0.25, "replayed")


def test_rows_without_times_have_no_words() -> None:
    rows = rows_of(run_of("a", [{"timed": 0}]))

    assert whose_compute(rows, Labels(rows)) == ""
