"""The outcome for programs: JSON, with every pair as it was measured."""

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any, Final

from liecbench.check.paired.stopping import log_ratio
from liecbench.check.verdict import Evidence, Finding, Outcome, Pair, Shown
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
    """The verdict on everything, as every format calls it."""
    return _NAMES[outcome.exit_code]


def to_json(outcome: Outcome) -> str:
    """One object of type ``liecbench-check``: seconds, bytes and fractions; null for what is infinite or undefined."""
    content = {
        "type": "liecbench-check",
        "schema": SCHEMA,
        "verdict": verdict_name(outcome),
        "exit_code": int(outcome.exit_code),
        "settings": outcome.settings,
        "findings": [_finding(finding) for finding in outcome.findings],
        "shown": [_fields(shown) for shown in outcome.shown],
        "failed_cells": outcome.failed_cells,
        "notes": outcome.notes,
    }
    return json.dumps(_finite(content), indent=2, allow_nan=False, default=str)


def _finding(finding: Finding) -> dict[str, Any]:
    evidence = None if finding.evidence is None else _fields(finding.evidence)
    return {**_fields(finding), "evidence": evidence, "pairs": [_pair(pair) for pair in finding.pairs]}


def _pair(pair: Pair) -> dict[str, Any]:
    return {**_fields(pair), "log_ratio": log_ratio(pair)}


def _fields(record: Finding | Evidence | Pair | Shown) -> dict[str, Any]:
    """Unlike ``asdict``, which copies deeply, this asks nothing of what a mapping holds."""
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def _finite(value: Any) -> Any:
    """JSON has no word for an infinity."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
