"""What A and B put on the network in the same steps: counted, so that any difference is one of the code's."""

from collections.abc import Iterator

from liecbench.check.verdict import Finding, Shown, Verdict
from liecbench.launch.messages import BurstResult

_COUNTED = {"payload_bytes": ("sent_bytes", "received_bytes"), "messages": ("messages",)}


def traffic_findings(cell: str, a: BurstResult, b: BurstResult) -> Iterator[Finding]:
    """Of one cell on both sides: more bytes or messages fail."""
    for metric, (before, now) in _totals(a, b).items():
        more = now > before
        reason = f"B moves {now - before:+,} in the same steps" if now != before else "the same on both sides"
        yield Finding(
            cell=cell,
            metric=metric,
            verdict=Verdict.FAIL if more else Verdict.PASS,
            reason=reason,
            baseline=before,
            current=now,
            change=now / before - 1 if before else None,
        )


def traffic_shown(cell: str, a: BurstResult, b: BurstResult, *, same: bool) -> Iterator[Shown]:
    """A burst's mean loss; of two cells that are not the ``same`` also its bytes and messages, all ranks together."""
    counted = {} if same else _totals(a, b)
    for metric, (before, now) in {**counted, "train_loss": (a.train_loss, b.train_loss)}.items():
        yield Shown(cell=cell, metric=metric, baseline=before, current=now)


def _totals(a: BurstResult, b: BurstResult) -> dict[str, tuple[int, int]]:
    """A burst's, over all ranks."""
    return {
        metric: (sum(sum(getattr(a, name)) for name in names), sum(sum(getattr(b, name)) for name in names))
        for metric, names in _COUNTED.items()
    }
