"""What the same code sends and computes again: bytes, messages, compression error; each seed beside its own."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from liecbench.check.stored.baseline import Entry, StoredEpoch
from liecbench.check.stored.matching import Twin
from liecbench.check.verdict import Finding, Verdict

_MEANT: Final = "write the baseline anew if this is meant"
# By name, a list with one entry a rank.
_Counts = dict[str, list[int]]
_LACKED: Final = {"compression_error": "a compression error", "residual_norm": "an error memory"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """What one seed's twins say, and their values."""

    seed: int
    verdict: Verdict
    old: float | None
    new: float | None
    reason: str

    @property
    def badness(self) -> tuple[bool, float]:
        """Orders a failure after others, then by the size of the change."""
        relative = change(self.old, self.new)
        return self.verdict is Verdict.FAIL, math.inf if relative is None else abs(relative)


def payload_bytes(label: str, twins: Sequence[Twin]) -> Finding:
    """Exact, of every rank and epoch."""

    def counts(epoch: StoredEpoch) -> _Counts:
        return {"bytes sent": epoch.payload_bytes.sent, "bytes received": epoch.payload_bytes.received}

    return _worst(label, "payload_bytes", [_counted(twin, counts) for twin in twins])


def messages(label: str, twins: Sequence[Twin]) -> Finding:
    """Exact, of every rank and epoch."""
    return _worst(label, "messages", [_counted(twin, lambda epoch: {"messages": epoch.messages}) for twin in twins])


def wire_bytes(label: str, twins: Sequence[Twin], margin: float) -> list[Finding]:
    """No more than the baseline's and a margin, sent and received by all ranks in all epochs; none where nothing is."""
    sending = [twin for twin in twins if any(epoch.payload_bytes.total for epoch in twin.baseline.epochs)]
    totals = [(twin, _wire_total(twin.baseline), _wire_total(twin.current)) for twin in sending]
    counted = [_grown(t, old, new, margin) for t, old, new in totals if old is not None and new is not None]
    found = [_worst(label, "wire_bytes", counted)] if counted else []
    for _, old, new in [sides for sides in totals if None in sides][:1]:
        where = "in the baseline" if new is not None else "here" if old is not None else "here and in the baseline"
        reason = f"no wire bytes {where}: not every rank has an interface of its own"
        found.append(Finding(cell=label, metric="wire_bytes", verdict=Verdict.NOT_COMPARED, reason=reason))
    return found


def closeness(
    label: str, twins: Sequence[Twin], metric: Literal["compression_error", "residual_norm"], margin: float
) -> list[Finding]:
    """Either way no further from the baseline's than a relative margin, in any epoch; none where neither has any."""
    checked = [close for twin in twins if (close := _close(twin, metric, margin)) is not None]
    return [_worst(label, metric, checked)] if checked else []


def change(old: float | None, new: float | None) -> float | None:
    """Current ÷ baseline − 1; None where the baseline has nothing to divide by."""
    if old is None or new is None:
        return None
    return new / old - 1 if old else 0.0 if not new else None


def _counted(twin: Twin, counts: Callable[[StoredEpoch], _Counts]) -> _Checked:
    before = {epoch.epoch: counts(epoch) for epoch in twin.baseline.epochs}
    after = {epoch.epoch: counts(epoch) for epoch in twin.current.epochs}
    old, new = (sum(sum(ranks) for epoch in side.values() for ranks in epoch.values()) for side in (before, after))
    if before == after:
        same = "the same of every rank in every epoch"
        return _Checked(seed=twin.seed, verdict=Verdict.PASS, old=old, new=new, reason=same)
    reason = f"{_first_difference(before, after)}; {_signed(old, new)} in all; {_MEANT}"
    return _Checked(seed=twin.seed, verdict=Verdict.FAIL, old=old, new=new, reason=reason)


def _first_difference(before: dict[int, _Counts], after: dict[int, _Counts]) -> str:
    for number in sorted(before.keys() & after.keys()):
        for name, old in before[number].items():
            new = after[number][name]
            if len(old) != len(new):
                return f"ranks in epoch {number}: {len(old)} in the baseline, {len(new)} here"
            for rank, (one, other) in enumerate(zip(old, new, strict=True)):
                if one != other:
                    return f"{other} {name} by rank {rank} in epoch {number}, {one} in the baseline"
    return f"epochs: {len(before)} in the baseline, {len(after)} here"


def _wire_total(entry: Entry) -> int | None:
    totals = [epoch.wire_bytes.total for epoch in entry.epochs if epoch.wire_bytes is not None]
    return sum(totals) if len(totals) == len(entry.epochs) else None


def _grown(twin: Twin, old: int, new: int, margin: float) -> _Checked:
    verdict = Verdict.FAIL if new > old * (1 + margin) else Verdict.PASS
    reason = f"{_signed(old, new)}; {margin:+.1%} allowed"
    return _Checked(seed=twin.seed, verdict=verdict, old=old, new=new, reason=reason)


def _close(twin: Twin, metric: str, margin: float) -> _Checked | None:
    """Of the epoch that is furthest off; None where neither side has a value in any."""
    epochs = zip(twin.baseline.epochs, twin.current.epochs, strict=False)
    sides = [(old.epoch, getattr(old, metric), getattr(new, metric)) for old, new in epochs]
    known = [(epoch, old, new) for epoch, old, new in sides if old is not None or new is not None]
    if not known:
        return None
    epoch, old, new = max(known, key=lambda side: _distance(*side[1:]))
    if old is None or new is None:
        change_of_kind = f"{'gained' if old is None else 'lost'} {_LACKED[metric]}"
        reason = f"in epoch {epoch} the method has {change_of_kind}; {_MEANT}"
        return _Checked(seed=twin.seed, verdict=Verdict.FAIL, old=old, new=new, reason=reason)
    verdict = Verdict.FAIL if _distance(old, new) > margin else Verdict.PASS
    reason = f"{_signed(old, new, digits=4)} in epoch {epoch}; ±{margin:.2%} allowed"
    return _Checked(seed=twin.seed, verdict=verdict, old=old, new=new, reason=reason)


def _distance(old: float | None, new: float | None) -> float:
    """Relative, either way; infinite where one side alone has a value, or one that is not zero."""
    relative = change(old, new)
    return math.inf if relative is None else abs(relative)


def _signed(old: float, new: float, digits: int = 2) -> str:
    relative = change(old, new)
    return f"{new:g}, nothing in the baseline" if relative is None else f"{relative:+.{digits}%}"


def _worst(label: str, metric: str, checked: Sequence[_Checked]) -> Finding:
    """One finding of several seeds': a failure before others, then the largest change."""
    worst = max(checked, key=lambda one: one.badness)
    seed = "" if worst.verdict is Verdict.PASS and worst.old == worst.new else f"seed {worst.seed}: "
    return Finding(
        cell=label,
        metric=metric,
        verdict=worst.verdict,
        reason=f"{seed}{worst.reason}",
        baseline=worst.old,
        current=worst.new,
        change=change(worst.old, worst.new),
    )
