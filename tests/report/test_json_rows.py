import json

import pytest

from liecbench.results.rows import Row
from tests.ledgers import rows_of, run_of
from tests.report.exported import ALWAYS, GPU_METRICS, as_csv, as_json, example_rows


@pytest.fixture
def rows() -> list[Row]:
    return example_rows()


def test_a_json_row_has_what_the_interface_names() -> None:
    runs = [run_of(f"d{seed}", [{"seconds": 1.0 + 2 * seed, "accuracy": 0.5}], seed=seed) for seed in (0, 1)]
    row = json.loads(as_json(rows_of(*runs, target_accuracy=0.9)))["rows"][0]
    expected = {
        "algorithm": "ddp",
        "compressor": None,
        "workers": 2,
        "link": "20mbit",
        "dataset": "digits",
        "model": "mlp",
        "width": 8,
        "learning_rate": 0.1,
        "cells": 2,
        "failed": 0,
        "reached": "0/2",
        "test_accuracy": {"mean": 0.5, "low": 0.5, "high": 0.5},
        "seconds_per_epoch": {
            "mean": 2.0,
            "low": pytest.approx(-10.706, abs=1e-3),
            "high": pytest.approx(14.706, abs=1e-3),
        },
        "payload_bytes_per_epoch": {"mean": 200.0, "low": 200.0, "high": 200.0},
        "wire_bytes_per_epoch": None,
        "seconds_to_target": None,
        "bytes_to_target": None,
        "speedup": {"mean": 1.0, "low": 1.0, "high": 1.0},
    }

    assert expected == {name: row[name] for name in expected}


def test_every_metric_is_in_every_json_row(rows: list[Row]) -> None:
    missing = [set(ALWAYS) - row.keys() for row in json.loads(as_json(rows))["rows"]]

    assert [set()] * len(rows) == missing


def test_without_gpus_no_gpu_metric_is_exported(rows: list[Row]) -> None:
    heads = [name for name in as_csv(rows).partition("\n")[0].split(",") if name.startswith(GPU_METRICS)]

    assert (set(GPU_METRICS) & json.loads(as_json(rows))["rows"][0].keys(), heads) == (set(), [])


def test_a_gpu_metric_of_one_cell_is_in_every_row(rows: list[Row]) -> None:
    gpu = {"energy_joules": 5.0, "throttled_share": 0.5, "throttled_power_cap_share": 0.5, "nvlink_sent_bytes": 7e9}
    on_gpu = rows_of(run_of("g", [{"gpu": gpu}]), run_of("h", [{"gpu": {**gpu, "throttled_share": 0.0}}], seed=1))
    both = [*rows, *on_gpu]
    expected = {
        "joules_per_epoch",
        "joules_to_target",
        "nvlink_sent_bytes_per_epoch",
        "throttled_share",
        "throttled_power_cap_share",
    }
    heads = {name for name in as_csv(both).partition("\n")[0].split(",") if name in GPU_METRICS}

    assert [expected] * len(both) == [set(GPU_METRICS) & row.keys() for row in json.loads(as_json(both))["rows"]]
    assert expected == heads


def test_one_seed_has_null_bounds() -> None:
    row = json.loads(as_json(rows_of(run_of("d", [{"seconds": 2.5}]))))["rows"][0]

    assert row["seconds_per_epoch"] == {"mean": 2.5, "low": None, "high": None}


def test_options_are_fields_of_their_own(rows: list[Row]) -> None:
    row = json.loads(as_json(rows))["rows"][-1]

    assert (row["algorithm"], row["average_period"]) == ("liec", 8)


def test_failed_cells_stay_visible(rows: list[Row]) -> None:
    row = next(row for row in json.loads(as_json(rows))["rows"] if row["algorithm"] == "psgd")

    assert (row["failed"], row["errors"], row["test_accuracy"]) == (1, ["failed: lost"], None)


def test_break_evens_say_whose_compute_they_hold_for() -> None:
    runs = [
        run_of(f"{name} {link} {seed}", [{"seconds": seconds + 0.001 * seed}], algorithm=name, link=link, seed=seed)
        for name, pair in (("ddp", (4.4, 1.1)), ("psgd", (2.2, 2.2)))
        for link, seconds in zip(("10mbit", "100mbit"), pair, strict=True)
        for seed in range(3)
    ]
    (found,) = json.loads(as_json(rows_of(*runs)))["break_even"]

    # Half of an epoch of 22 steps computes.
    assert found["compute_seconds_per_step"] == pytest.approx(0.05, rel=0.01)
    assert found["compute_source"] == "measured"
    assert found["text"] == (
        "faster than ddp below a rate between 10mbit and 100mbit, for steps that compute 50 ms, as measured here"
    )


def test_nothing_to_export_is_still_well_formed() -> None:
    expected = {
        "rows": [],
        "verdict": [],
        "break_even": [],
        "bandwidth_needed": [],
        "notes": [],
        "baseline": "ddp",
        "target_accuracy": 0.9,
        "target_loss": None,
    }

    assert (json.loads(as_json([])), as_csv([]).count("\n")) == (expected, 1)
