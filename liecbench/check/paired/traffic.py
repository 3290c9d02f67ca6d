"""Comparison of sides A and B by the payload bytes and the messages of the same steps.

These counts have no noise. If A and B train equal cells, a difference comes from the code.
"""

from collections.abc import Iterator

from liecbench.check.verdict import CheckResult, UngatedMetric, Verdict
from liecbench.launch.events import BurstResult


def traffic_results(cell: str, a: BurstResult, b: BurstResult) -> Iterator[CheckResult]:
    """Yield two results: one for the payload bytes, and one for the number of messages.

    Each result compares B's total over all ranks with A's. The verdict is FAIL if B's total is larger, else PASS.

    Args:
        cell: The name of the cell, which is the same on both sides.
        a: A's measurements of a burst (series of steps).
        b: B's measurements of a burst with the same steps.
    """
    for metric, (before, now) in _totals(a, b).items():
        reason = f"B moves {now - before:+,} in the same steps" if now != before else "the same on both sides"
        yield CheckResult(
            cell=cell,
            metric=metric,
            verdict=Verdict.FAIL if now > before else Verdict.PASS,
            reason=reason,
            baseline=before,
            current=now,
            change=now / before - 1 if before else None,
        )


def ungated_metrics(cell: str, a: BurstResult, b: BurstResult, *, same: bool) -> Iterator[UngatedMetric]:
    """Yield metrics that cannot fail the check: the mean loss and, if not ``same``, bytes and messages.

    Args:
        cell: The cell's name.
        a: The result of a burst (series of steps) on side A.
        b: The result of a burst on side B.
        same: True if A and B train equal cells. Bytes and messages can then fail the check, so they are left out here.
    """
    counted = {} if same else _totals(a, b)
    for metric, (before, now) in {**counted, "train_loss": (a.train_loss, b.train_loss)}.items():
        yield UngatedMetric(cell=cell, metric=metric, baseline=before, current=now)


def _totals(a: BurstResult, b: BurstResult) -> dict[str, tuple[int, int]]:
    """Return (A's total, B's total) over all ranks, for each of the metrics ``payload_bytes`` and ``messages``."""
    payload_a, payload_b = (sum(side.sent_bytes) + sum(side.received_bytes) for side in (a, b))
    return {"payload_bytes": (payload_a, payload_b), "messages": (sum(a.messages), sum(b.messages))}
