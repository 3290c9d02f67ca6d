"""The output of ``liecbench compare --format json``."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from liecbench.report.verdict_rows import break_even_objects, row_verdict, setting_object
from liecbench.results.bandwidth_needed import bandwidth_objects
from liecbench.results.comparison import Comparison
from liecbench.results.metrics import exported_metrics
from liecbench.results.rows import Row


def render(comparison: Comparison) -> str:
    """Return the comparison as the text of a JSON object, with each row on a line.

    The keys are ``"rows"`` (see ``row_objects``), ``"verdict"`` (see ``verdict_objects``), ``"break_even"``,
    ``"bandwidth_needed"``, ``"notes"``, ``"baseline"``, ``"target_accuracy"`` and ``"target_loss"``.
    """
    lines = ",\n".join(json.dumps(row, allow_nan=False) for row in row_objects(comparison))
    rest = {
        "verdict": verdict_objects(comparison),
        "break_even": break_even_objects(comparison),
        "bandwidth_needed": bandwidth_objects(comparison.bandwidth_needed),
        "notes": comparison.notes,
        "baseline": comparison.baseline_choice.as_json(),
        "target_accuracy": comparison.target_accuracy,
        "target_loss": comparison.target_loss,
    }
    return f'{{"rows": [\n{lines}\n],\n{json.dumps(rest, allow_nan=False)[1:]}\n'


def row_objects(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """Yield one object per row: the row's fields, counts of cells, metrics, verdicts, errors and warnings.

    A metric is an object with the keys ``"mean"``, ``"low"`` and ``"high"``, or None if the metric is unknown.
    ``"dilation"`` is the factor by which a replay ran more slowly than the emulated training. ``"message_divisor"`` is
    the emulated size of a message ÷ the size that the replay sent. Both numbers are 1 if the row was not replayed.
    """
    names = exported_metrics(cell for row in comparison.rows for cell in row.per_seed.values())
    for row in comparison.rows:
        yield {**_object(row, names), **row_verdict(comparison, row)}


def verdict_objects(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the verdict on each setting as a JSON object, whose keys ``setting_object`` describes."""
    return [setting_object(comparison, verdict) for verdict in comparison.setting_verdicts]


def counts(row: Row) -> dict[str, int | str | None]:
    """Return a row's numbers of cells: all, failed, unfinished, and those that reached the target.

    A cell is a training run with one seed. The keys are ``"cells"``, ``"failed"``, ``"unfinished"`` and ``"reached"``.
    ``"reached"`` is a text such as ``2/3``, or None without a target.
    """
    return {
        "cells": len(row.cells),
        "failed": row.num_failed,
        "unfinished": row.num_unfinished,
        "reached": row.reached,
    }


def _object(row: Row, names: Sequence[str]) -> dict[str, Any]:
    values = {name: row.metrics[name] for name in names}
    metrics = {
        name: None if value is None else {"mean": value.mean, "low": value.low, "high": value.high}
        for name, value in values.items()
    }
    return {
        **row.fields,
        "dilation": row.dilation,
        "message_divisor": row.message_divisor,
        **counts(row),
        **metrics,
        "task_differences": {
            name: {"own": own, "baseline": baseline} for name, (own, baseline) in row.task_differences.items()
        },
        "errors": row.errors,
        "warnings": row.warnings,
    }
