"""Made results to store and to check: two epochs a cell, by default of one machine and a link of 20 Mbit/s."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

from liecbench.check.stored.baseline import Baseline
from liecbench.check.stored.gate import Margins, check_stored
from liecbench.check.verdict import CheckResult, Outcome, Verdict
from liecbench.results.cells import CellResult
from tests import ledgers

METRICS = (
    "payload_bytes",
    "messages",
    "wire_bytes",
    "compression_error",
    "residual_norm",
    "test_accuracy",
    "train_loss",
    "communication_over_wire",
)
ENVIRONMENT: dict[str, Any] = {
    "cpu": "Model A",
    "torch": "2.6.0",
    "data_sha256": "a" * 64,
    "link": {"enforcement": "kernel", "asked": "20mbit", "measured": None, "congestion_control": "reno"},
}


def cell(
    *,
    seed: int = 0,
    status: Literal["completed", "failed", "diverged", "unfinished"] = "completed",
    error: str | None = None,
    epochs: int = 2,
    environment: dict[str, Any] | None = None,
    changes: dict[str, Any] | None = None,
    **fields: Any,
) -> CellResult:
    """A cell; ``changes`` are of every epoch, ``fields`` of the spec, ``environment`` of the default one.

    A step sends 100 kB of payload and 115 kB on the wire from each of 2 ranks: 46 ms. Communication takes 1.1 s of an
    epoch's 22 steps, which is 1.087 times the wire's 1.012 s.
    """
    usual: dict[str, Any] = {
        "payload_bytes": traffic(2_200_000),
        "wire_bytes": traffic(2_530_000),
        "compression_error": 0.5,
        "residual_norm": 2.0,
        "train_loss": 1.0,
        "test_accuracy": 0.9,
        "least_communicate_seconds": 1.1,
        **(changes or {}),
    }
    return CellResult(
        id=f"cell{seed}",
        spec=ledgers.spec(seed=seed, **fields),
        environment={**ENVIRONMENT, **(environment or {})},
        attempt=1,
        epochs=[replace(ledgers.epoch("cell", number), **usual) for number in range(1, epochs + 1)],
        status=status,
        error=error,
    )


def seeds(values: Iterable[dict[str, Any]], **fields: Any) -> list[CellResult]:
    """A cell for each of these changes, with the seeds 0, 1, …."""
    return [cell(seed=seed, changes=changes, **fields) for seed, changes in enumerate(values)]


def traffic(*ranks: int) -> dict[str, list[int]]:
    """As many bytes sent as received; one number is that of each of 2 ranks."""
    each = list(ranks) if len(ranks) > 1 else [*ranks, *ranks]
    return {"sent": each, "received": list(each)}


def check(current: Sequence[CellResult], stored: Sequence[CellResult]) -> Outcome:
    """What the gate says of results and a baseline of others, by the default margins."""
    return check_stored(current, Baseline.of(stored), Margins())


def verdicts(outcome: Outcome) -> dict[str, Verdict]:
    """By metric, of results with one group of cells."""
    return {finding.metric: finding.verdict for finding in outcome.results}


def finding(outcome: Outcome, metric: str) -> CheckResult:
    """The first of a metric."""
    return next(finding for finding in outcome.results if finding.metric == metric)
