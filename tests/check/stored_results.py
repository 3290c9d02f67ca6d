"""Made-up results: two epochs per cell, by default from one machine with a link of 20 Mbit/s."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

from liecbench.check.stored.baseline import Baseline
from liecbench.check.stored.gate import Margins, check_stored
from liecbench.check.verdict import CheckResult, Outcome, Verdict
from liecbench.results.cells import CellResult
from liecbench.results.environment_record import Environment
from liecbench.results.records import FirstSteps
from tests import ledgers

METRICS = (
    "payload_bytes",
    "messages",
    "wire_bytes",
    "first_steps",
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


# Every number is exact in binary, so that its products with 1 + margin are rounded only once.
FIRST_STEPS = FirstSteps(train_loss=[2.0, 1.5, 1.25, 1.0, 1.0], compression_error=0.5, residual_norm=2.0)


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
    """Return a cell with ``changes`` in every epoch, ``fields`` in its spec and ``environment`` in its environment.

    Each of 2 ranks sends 100 kB of payload per step, 115 kB on the wire: 46 ms. Communication takes 1.1 s per epoch of
    22 steps, 1.087 times the wire's 1.012 s.
    """
    workers: int = fields.get("workers", 2)
    first = [FIRST_STEPS, *[None] * (epochs - 1)]
    usual: dict[str, Any] = {
        "payload_bytes": traffic(*[2_200_000] * workers),
        "wire_bytes": traffic(*[2_530_000] * workers),
        "messages": [22] * workers,
        "compression_error": 0.5,
        "residual_norm": 2.0,
        "train_loss": 1.0,
        "test_accuracy": 0.9,
        "least_communicate_seconds": 1.1,
        **(changes or {}),
    }
    trained = [replace(ledgers.epoch("cell", number), **usual) for number in range(1, epochs + 1)]
    return CellResult(
        id=f"cell{seed}",
        spec=ledgers.spec(seed=seed, **fields),
        environment=Environment.of({**ENVIRONMENT, **(environment or {})}),
        attempt=1,
        epochs=[replace(epoch, first_steps=steps) for epoch, steps in zip(trained, first, strict=False)],
        status=status,
        error=error,
    )


def seeds(values: Iterable[dict[str, Any]], **fields: Any) -> list[CellResult]:
    """Return a cell for each of these changes, with the seeds 0, 1, …."""
    return [cell(seed=seed, changes=changes, **fields) for seed, changes in enumerate(values)]


def with_first_steps(cells: Iterable[CellResult], **changes: Any) -> list[CellResult]:
    """Return the cells with changes in the numbers of their first steps."""
    first = replace(FIRST_STEPS, **changes)
    return [replace(cell, epochs=[replace(cell.epochs[0], first_steps=first), *cell.epochs[1:]]) for cell in cells]


def without_first_steps(cells: Iterable[CellResult]) -> list[CellResult]:
    """Return the cells as an earlier version recorded them."""
    return [replace(cell, epochs=[replace(epoch, first_steps=None) for epoch in cell.epochs]) for cell in cells]


def traffic(*ranks: int) -> dict[str, list[int]]:
    """Return equal bytes sent and received per rank; one number stands for each of 2 ranks."""
    each = list(ranks) if len(ranks) > 1 else [*ranks, *ranks]
    return {"sent": each, "received": list(each)}


def check(current: Sequence[CellResult], stored: Sequence[CellResult]) -> Outcome:
    """Check results against a baseline of other results, with the default margins."""
    return check_stored(current, Baseline.of(stored), Margins())


def verdicts(outcome: Outcome) -> dict[str, Verdict]:
    """Return the verdicts by metric, for results with one group of cells."""
    return {result.metric: result.verdict for result in outcome.results}


def result_of(outcome: Outcome, metric: str) -> CheckResult:
    """Return the first result for a metric."""
    return next(result for result in outcome.results if result.metric == metric)
