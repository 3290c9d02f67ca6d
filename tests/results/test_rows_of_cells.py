import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.results.cells import replay
from liecbench.results.metrics import METRICS
from liecbench.results.records import Record
from liecbench.results.rows_of_cells import summarise
from liecbench.results.timing_record import Timing
from tests.ledgers import cells_of, end, epoch, run_of, start
from tests.results.row_means import FAST, SLOW, means

NO_PARTS = {
    "wire_seconds_per_epoch": None,
    "exposed_compress_seconds_per_epoch": None,
    "other_seconds_per_epoch": None,
    "compute_utilization": None,
    "memory_bytes": None,
    "optimizer_bytes": None,
    "peak_memory_bytes": 1000.0,
}
NO_LANGUAGE_MODEL = dict.fromkeys(
    ("perplexity", "loss_difference", "tokens", "tokens_per_second", "tokens_to_target", "samples_per_epoch"), None
)
NO_GPU = {metric.name: None for metric in METRICS.values() if metric.of_gpus}


def test_a_row_is_computed_as_by_hand() -> None:
    cells = cells_of(run_of("base", SLOW), run_of("liec", FAST, algorithm="liec"))
    fast, slow = summarise(cells, target_accuracy=0.4)

    assert (means(fast), means(slow)) == (
        {
            "test_accuracy": 0.8,
            "train_loss": 0.5,
            "test_loss": 0.75,
            "seconds_per_epoch": 1.25,
            "exposed_seconds_per_epoch": 0.625,
            "payload_bytes_per_epoch": 160.0,  # (2·100 + 2·60) / 2 ranks
            "wire_bytes_per_epoch": None,
            "seconds_to_target": 1.0,
            "epochs_to_target": 1.0,
            "bytes_to_target": 160.0,
            "speedup": pytest.approx(4.0),  # 5 s ÷ 1.25 s
            "bytes_ratio": 5.0,  # 800 ÷ 160
            "accuracy_difference": pytest.approx(-0.1),
            "compute_seconds_per_epoch": 0.625,
            "compress_seconds_per_epoch": 0.15625,
            "communicate_seconds_per_epoch": 0.3125,
            **NO_PARTS,
            "speedup_over_dense": None,
            **NO_GPU,
            **NO_LANGUAGE_MODEL,
        },
        {
            "test_accuracy": 0.9,
            "train_loss": 0.5,
            "test_loss": 0.75,
            "seconds_per_epoch": 5.0,
            "exposed_seconds_per_epoch": 2.5,
            "payload_bytes_per_epoch": 800.0,
            "wire_bytes_per_epoch": None,
            "seconds_to_target": 4.0,
            "epochs_to_target": 1.0,
            "bytes_to_target": 800.0,
            "speedup": 1.0,
            "bytes_ratio": 1.0,
            "accuracy_difference": 0.0,
            "compute_seconds_per_epoch": 2.5,
            "compress_seconds_per_epoch": 0.625,
            "communicate_seconds_per_epoch": 1.25,
            **NO_PARTS,
            "speedup_over_dense": None,
            **NO_GPU,
            **NO_LANGUAGE_MODEL,
        },
    )


def test_recorded_parts_of_the_time_are_metrics() -> None:
    """Of 22 steps 11 are timed, which count as half an epoch."""
    parts: dict[str, Any] = {"compute_seconds": 0.5, "exposed_wire_seconds": 1.0, "exposed_compress_seconds": 0.25}
    trained = dataclasses.replace(
        epoch("a", seconds=2.0, timed=11),
        **parts,
        other_seconds=0.25,
        memory_bytes=400,
        optimizer_bytes=300,
        peak_memory_bytes=5000,
    )
    row = summarise(cells_of([start("a"), trained, end("a")]))[0]

    assert {name: means(row)[name] for name in NO_PARTS} == {
        "wire_seconds_per_epoch": 2.0,
        "exposed_compress_seconds_per_epoch": 0.5,
        "other_seconds_per_epoch": 0.5,
        "compute_utilization": 0.25,
        "memory_bytes": 400.0,
        "optimizer_bytes": 300.0,
        "peak_memory_bytes": 5000.0,
    }


def test_speed_ups_compare_equal_seeds() -> None:
    base = [run_of(f"base{seed}", [{"seconds": s}], seed=seed) for seed, s in enumerate((2.0, 4.0, 6.0))]
    rivals = [
        run_of(f"psgd{seed}", [{"seconds": s}], seed=seed, algorithm="psgd") for seed, s in enumerate((1.0, 1.0, 2.0))
    ]
    row = summarise(cells_of(*base, *rivals))[0]
    actual = row.metrics["speedup"]
    assert actual is not None

    # 2, 4 and 3: their geometric mean, and the deviation of their logarithms
    logs = [math.log(2), math.log(4), math.log(3)]
    mean = sum(logs) / 3
    deviation = math.sqrt(sum((value - mean) ** 2 for value in logs) / 2)
    low = math.exp(mean - 4.3027 * deviation / math.sqrt(3))
    assert pytest.approx((24 ** (1 / 3), low), abs=1e-3) == (actual.mean, actual.low)


@pytest.mark.parametrize(
    "change",
    [
        {"workers": 4},
        {"link": "10mbit"},
        {"threads": 2},
        {"task": {"batch_size": 16}},
        {"task": {"model": {"name": "cnn"}}},
        {"task": {"precision": "bf16"}},
    ],
    ids=str,
)
def test_a_row_in_another_setting_has_no_baseline(change: dict[str, Any]) -> None:
    rows = summarise(cells_of(run_of("base", SLOW), run_of("psgd", FAST, algorithm="psgd", **change)))
    row = next(row for row in rows if row.fields["algorithm"] == "psgd")

    assert (row.metrics["speedup"], row.metrics["bytes_ratio"]) == (None, None)


def test_each_setting_has_its_own_baseline() -> None:
    runs = [
        run_of("d2", [{"seconds": 3.0}], workers=2),
        run_of("d4", [{"seconds": 8.0}], workers=4),
        run_of("p2", [{"seconds": 1.0}], workers=2, algorithm="psgd"),
        run_of("p4", [{"seconds": 2.0}], workers=4, algorithm="psgd"),
    ]
    rows = summarise(cells_of(*runs))
    actual = [(row.fields["workers"], row.fields["algorithm"]) for row in rows]

    assert actual == [(2, "psgd"), (2, "ddp"), (4, "psgd"), (4, "ddp")]
    assert [means(row)["speedup"] for row in rows] == pytest.approx([3.0, 1.0, 4.0, 1.0])


def test_a_learning_rate_of_its_own_keeps_the_baseline() -> None:
    task = {"learning_rate": 0.3}
    row = summarise(cells_of(run_of("base", SLOW), run_of("psgd", FAST, algorithm="psgd", task=task)))[0]

    assert row.fields["algorithm"] == "psgd"
    assert means(row)["speedup"] == pytest.approx(4.0)


def test_another_algorithm_can_be_the_baseline() -> None:
    rows = summarise(cells_of(run_of("base", SLOW), run_of("psgd", FAST, algorithm="psgd")), baseline="psgd")

    assert [(row.fields["algorithm"], means(row)["speedup"]) for row in rows] == [("psgd", 1.0), ("ddp", 0.25)]


def test_without_the_usual_baseline_there_is_no_speed_up() -> None:
    row = summarise(cells_of(run_of("psgd", FAST, algorithm="psgd")))[0]

    assert (row.metrics["speedup"], means(row)["seconds_per_epoch"]) == (None, 1.25)


def test_cells_that_did_not_complete_stay_visible() -> None:
    failed: list[Record] = [start("b", seed=1), epoch("b", accuracy=0.1), end("b", status="failed", error="lost")]
    diverged: list[Record] = [start("c", seed=2), end("c", status="diverged", error="not finite")]
    row = summarise(cells_of(run_of("a", SLOW), failed, diverged, [start("d", seed=3)]))[0]

    assert (
        len(row.cells),
        row.num_failed,
        row.num_unfinished,
        row.errors,
        means(row)["test_accuracy"],
    ) == (4, 2, 1, ["failed: lost", "diverged: not finite"], 0.9)


def test_a_row_without_a_completed_cell_has_no_metrics() -> None:
    rows = summarise(cells_of([start("a"), end("a", status="failed", error="lost")], run_of("b", algorithm="psgd")))
    row = next(row for row in rows if row.fields["algorithm"] == "ddp")

    assert (1, {None}) == (row.num_failed, set(row.metrics.values()))


def test_another_option_makes_another_row() -> None:
    top_k = [run_of(str(r), algorithm="psgd", compressor={"name": "top_k", "ratio": r}) for r in (0.1, 0.2)]
    rows = summarise(cells_of(*top_k))

    assert [(row.fields["compressor"], row.fields["ratio"]) for row in rows] == [("top_k", 0.1), ("top_k", 0.2)]


@given(st.permutations([*run_of("a", SLOW), *run_of("b", FAST, algorithm="psgd")]))
def test_rows_do_not_depend_on_how_cells_interleave(order: list[Record]) -> None:
    queues = {
        cell: iter(run_of(cell, values, algorithm=a)) for cell, values, a in (("a", SLOW, "ddp"), ("b", FAST, "psgd"))
    }
    interleaved = [next(queues[record.cell]) for record in order if not isinstance(record, Timing)]
    expected = summarise(cells_of(run_of("a", SLOW), run_of("b", FAST, algorithm="psgd")))

    assert expected == summarise(list(replay(interleaved).values()))


def test_cells_of_two_directories_have_each_their_own_baseline() -> None:
    slow = cells_of(run_of("x", [{"seconds": 4.0}]), run_of("y", [{"seconds": 1.0}], algorithm="psgd"))
    fast = cells_of(run_of("x", [{"seconds": 2.0}]), run_of("y", [{"seconds": 1.0}], algorithm="psgd"))
    for name, cells in (("a", slow), ("b", fast)):
        for cell in cells:
            cell.directory = name
    seen = {
        (row.fields["results"], row.fields["algorithm"]): means(row)["speedup"] for row in summarise([*slow, *fast])
    }

    assert seen == {("a", "ddp"): 1.0, ("b", "ddp"): 1.0, ("a", "psgd"): 4.0, ("b", "psgd"): 2.0}


def test_a_baseline_may_fix_the_number_of_workers() -> None:
    runs = [run_of(f"l{n}", [{"seconds": s}], algorithm="liec", workers=n) for n, s in ((2, 8.0), (4, 4.0), (8, 2.5))]
    rows = summarise(cells_of(*runs), baseline=BaselineChoice(algorithm="liec", fixed={"workers": 2}))

    assert [row.is_baseline for row in rows] == [True, False, False]
    assert [means(row)["speedup"] for row in rows] == [1.0, pytest.approx(2.0), pytest.approx(3.2)]


def test_rows_are_compared_with_the_fastest_row_without_compression_too() -> None:
    seconds = {"ddp": 4.0, "ddp_bf16": 2.0, "ddp_fp16": 3.0, "liec": 1.0}
    rows = summarise(cells_of(*[run_of(name, [{"seconds": s}], algorithm=name) for name, s in seconds.items()]))
    found = {row.algorithm: means(row)["speedup_over_dense"] for row in rows}

    assert [row.algorithm for row in rows if row.is_dense] == ["ddp_bf16"]
    assert found.pop("ddp_bf16") is None
    assert found == {"liec": pytest.approx(2.0), "ddp_fp16": pytest.approx(2 / 3), "ddp": pytest.approx(0.5)}
