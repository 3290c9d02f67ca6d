import pytest

from liecbench.results.records import Record
from liecbench.results.rows_of_cells import summarise
from tests.ledgers import cells_of, end, run_of, start
from tests.results.row_means import FAST, SLOW, means


@pytest.mark.parametrize(
    ("accuracies", "reached", "epochs"),
    [
        ((0.6, 0.7, 0.9, 0.8), "1/1", 2.5),  # halfway from 0.7 to 0.9
        ((0.9, 0.7, 0.9, 0.9), "1/1", 2.5),  # one evaluation alone does not count
        ((0.8, 0.8, 0.1, 0.1), "1/1", 1.0),  # nothing is known before the first evaluation
        ((0.7, 0.7, 0.7, 0.9), "0/1", None),
        ((0.7, 0.9, 0.7, 0.9), "0/1", None),
    ],
)
def test_a_target_is_reached_when_two_evaluations_in_a_row_reach_it(
    accuracies: tuple[float, ...], reached: str, epochs: float | None
) -> None:
    values = [{"seconds": 2.0, "accuracy": accuracy} for accuracy in accuracies]
    row = summarise(cells_of(run_of("a", values)), target_accuracy=0.8)[0]

    assert row.reached == reached
    assert means(row)["epochs_to_target"] == pytest.approx(epochs)
    assert means(row)["seconds_to_target"] == pytest.approx(None if epochs is None else 2 * epochs)


def test_a_target_that_a_seed_missed_has_no_time() -> None:
    row = summarise(
        cells_of(run_of("a", SLOW), run_of("b", FAST, seed=1), run_of("c", SLOW, seed=2)), target_accuracy=0.5
    )[0]

    assert (row.reached, row.metrics["seconds_to_target"], row.metrics["bytes_to_target"]) == ("2/3", None, None)


def test_without_a_target_nothing_is_reached() -> None:
    row = summarise(cells_of(run_of("a", SLOW)))[0]

    assert (row.reached, row.metrics["seconds_to_target"], row.metrics["bytes_to_target"]) == (None, None, None)


def test_a_seed_that_failed_missed_the_target() -> None:
    failed: list[Record] = [start("b", seed=1), end("b", status="failed", error="lost")]
    row = summarise(cells_of(run_of("a", SLOW), failed), target_accuracy=0.5)[0]

    assert (row.reached, row.metrics["seconds_to_target"]) == ("1/2", None)


def test_warm_up_steps_do_not_shorten_an_epoch() -> None:
    epochs = [{"seconds": 1.0, "timed": 11}, {"seconds": 2.0, "timed": 22}]
    row = summarise(cells_of(run_of("a", epochs)))[0]

    assert (means(row)["seconds_per_epoch"], means(row)["exposed_seconds_per_epoch"]) == (2.0, 1.0)


def test_an_epoch_of_warm_up_alone_has_no_time() -> None:
    row = summarise(cells_of(run_of("a", [{"seconds": 0.0, "timed": 0}])))[0]

    assert (means(row)["seconds_per_epoch"], means(row)["speedup"], means(row)["test_accuracy"]) == (None, None, 0.5)


def test_wire_bytes_are_sent_and_received_averaged_over_ranks() -> None:
    row = summarise(cells_of(run_of("a", [{"wire": (10, 20)}, {"wire": (30, 40)}])))[0]

    assert means(row)["wire_bytes_per_epoch"] == 50.0
