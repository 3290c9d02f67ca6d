"""Rows and their exports, for the tests of JSON and CSV."""

import dataclasses
from typing import Any

from liecbench.report import csv_rows, json_rows
from liecbench.results.comparison import Comparison
from liecbench.results.comparison_of_cells import compare_rows
from liecbench.results.metrics import METRICS
from liecbench.results.records import Record
from liecbench.results.rows import Row
from tests.ledgers import end, rows_of, run_of, start

# Exported even if no cell has a value.
ALWAYS = tuple(metric.name for metric in METRICS.values() if not metric.of_gpus and metric.exported_with is None)
GPU_METRICS = tuple(metric.name for metric in METRICS.values() if metric.of_gpus)


def example_rows() -> list[Row]:
    """Return rows of two seeds, of one seed, of a failed cell and of a method with an option."""
    failed: list[Record] = [start("f", algorithm="psgd"), end("f", status="failed", error="lost")]
    liec = {"algorithm": {"name": "liec", "average_period": 8}}
    seeds = [run_of(f"d{seed}", [{"seconds": 1.0 + 2 * seed, "accuracy": 0.5}], seed=seed) for seed in (0, 1)]
    return rows_of(*seeds, run_of("l", [{"seconds": 0.5, "payload": (10, 30)}]), failed) + rows_of_specs(liec)


def comparison_of_rows(rows: list[Row]) -> Comparison:
    return compare_rows(rows, baseline="ddp", target_accuracy=0.9)


def as_json(rows: list[Row]) -> str:
    return json_rows.render(comparison_of_rows(rows))


def as_csv(rows: list[Row]) -> str:
    return csv_rows.render(comparison_of_rows(rows))


def rows_of_specs(changes: dict[str, Any]) -> list[Row]:
    record = start("x")
    changed = dataclasses.replace(record, spec={**record.spec, **changes})
    return rows_of([changed, *run_of("x")[1:]])
