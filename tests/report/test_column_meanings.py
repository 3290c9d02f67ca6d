from liecbench.report.column_meanings import meaning
from liecbench.report.table_texts import best_cells
from liecbench.results.metrics import METRICS
from tests.ledgers import comparison_of, run_of

COMPARISON = comparison_of(
    run_of("d", [{"seconds": 4.0, "accuracy": 0.9}]),
    run_of("l", [{"seconds": 1.0, "accuracy": 0.8}], algorithm="liec"),
)


def test_short_headings_have_a_meaning_and_plain_ones_none() -> None:
    found = {metric.heading: bool(meaning(metric)) for metric in COMPARISON.columns(page=True)}

    assert {"exposed", "bytes÷", "accuracy Δ"} <= found.keys()
    assert (found["exposed"], found["bytes÷"], found["accuracy Δ"], found["train loss"]) == (True, True, True, False)


def test_the_baseline_is_not_the_best_in_what_compares_with_it() -> None:
    best = {
        name: [row.algorithm for row in COMPARISON.rows if id(row) in best_cells(COMPARISON.rows, METRICS[name])]
        for name in ("test_accuracy", "accuracy_difference", "speedup", "seconds_per_epoch")
    }

    assert best == {
        "test_accuracy": ["ddp"],
        "accuracy_difference": [],
        "speedup": ["liec"],
        "seconds_per_epoch": ["liec"],
    }
