"""The comparison for programs: JSON and CSV."""

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from typing import Any

from liecbench.results.comparison import METRICS, Estimate, Row
from liecbench.results.gpu_metrics import METRICS as GPU_METRICS
from liecbench.results.gpu_metrics import seen_metrics

# These columns come first, in this order; those that only some rows have come after them, by name.
_FIRST = ("algorithm", "compressor", "workers", "link", "server", "dataset", "model", "batch_size", "learning_rate")


def to_json(rows: Sequence[Row], *, baseline: str, target_accuracy: float | None) -> str:
    """``{"rows": [...]}``, each row's fields, counts and metrics side by side, and what they refer to."""
    known = _metrics(rows)
    content = {"rows": [_flat(row, known) for row in rows], "baseline": baseline, "target_accuracy": target_accuracy}
    return json.dumps(content, indent=2, allow_nan=False)


def to_csv(rows: Sequence[Row]) -> str:
    """One line a row; each metric as its mean, low and high."""
    names = [*_FIRST, *sorted({name for row in rows for name in row.fields} - set(_FIRST))]
    known = _metrics(rows)
    metrics = [f"{name}{suffix}" for name in known for suffix in ("", "_low", "_high")]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*names, "cells", "failed", "unfinished", "reached", *metrics], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        counts = {
            "cells": row.cells,
            "failed": row.failed,
            "unfinished": row.unfinished,
            "reached": row.reached,
        }
        values = {key: value for name in known for key, value in _bounds(name, row.metrics[name]).items()}
        writer.writerow({**row.fields, **counts, **values})
    return text.getvalue()


def _metrics(rows: Sequence[Row]) -> list[str]:
    """What every row has; where no cell has figures of GPUs, nothing of those."""
    on_gpus = seen_metrics(cell for row in rows for cell in row.per_seed.values())
    return [name for name in METRICS if name not in GPU_METRICS or name in on_gpus]


def _flat(row: Row, names: Sequence[str]) -> dict[str, Any]:
    values = {name: row.metrics[name] for name in names}
    metrics = {name: None if value is None else dataclasses.asdict(value) for name, value in values.items()}
    counts = {"cells": row.cells, "failed": row.failed, "unfinished": row.unfinished, "reached": row.reached}
    return {**row.fields, **counts, **metrics, "errors": row.errors, "warnings": row.warnings}


def _bounds(name: str, value: Estimate | None) -> dict[str, float | None]:
    if value is None:
        return {}
    return {name: value.mean, f"{name}_low": value.low, f"{name}_high": value.high}
