"""A check's outcome as JSON, with the raw measurements of every pair."""

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any, Final

from liecbench.check.paired.decision import log_ratio
from liecbench.check.verdict import CheckResult, Evidence, Outcome, Pair, UngatedMetric
from liecbench.errors import ExitCode

SCHEMA: Final = 1
_NAMES: Final = {
    ExitCode.DONE: "pass",
    ExitCode.REGRESSION: "fail",
    ExitCode.INCONCLUSIVE: "inconclusive",
    ExitCode.NOTHING_TO_COMPARE: "nothing compared",
    ExitCode.CELL_FAILED: "cell failed",
}


def verdict_name(outcome: Outcome) -> str:
    """Return the name of the outcome's verdict, such as ``pass``; all output formats use it."""
    return _NAMES[outcome.exit_code]


def to_json(outcome: Outcome) -> str:
    """Return the outcome as the text of one JSON object, whose ``type`` is ``liecbench-check``.

    Times are in seconds, sizes in bytes, and changes are fractions. Infinite and undefined numbers are null.
    """
    content = {
        "type": "liecbench-check",
        "schema": SCHEMA,
        "verdict": verdict_name(outcome),
        "exit_code": int(outcome.exit_code),
        "settings": outcome.settings,
        "findings": [_result(result) for result in outcome.results],
        "shown": [_fields(metric) for metric in outcome.ungated],
        "failed_cells": [str(failed) for failed in outcome.failed_cells],
        "notes": outcome.notes,
    }
    return json.dumps(_finite(content), indent=2, allow_nan=False, default=str)


def _result(result: CheckResult) -> dict[str, Any]:
    evidence = None if result.evidence is None else _fields(result.evidence)
    return {**_fields(result), "evidence": evidence, "pairs": [_pair(pair) for pair in result.pairs]}


def _pair(pair: Pair) -> dict[str, Any]:
    return {**_fields(pair), "log_ratio": log_ratio(pair)}


def _fields(record: CheckResult | Evidence | Pair | UngatedMetric) -> dict[str, Any]:
    """Return a record's fields by name, without copying their values: ``asdict`` copies, which can fail."""
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def _finite(value: Any) -> Any:
    """Return the value with infinities and NaN, which JSON lacks, replaced by None at every level."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
