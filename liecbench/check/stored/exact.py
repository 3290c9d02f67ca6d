"""Compare payload bytes, messages and wire bytes of the same seed with the baseline.

Payload bytes and messages must be equal. Wire bytes may grow by a margin.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from liecbench.check.stored.baseline_cell import BaselineCell
from liecbench.check.stored.matching import CellMatch
from liecbench.check.stored.stored_epoch import StoredEpoch
from liecbench.check.verdict import CheckResult, Verdict

_IF_INTENDED: Final = "write the baseline again if this is intended"
# For each count of an epoch, such as bytes sent, a list with one entry per rank.
_Counts = tuple[list[int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _SeedResult:
    """The verdict on one seed, with the compared values: ``old`` in the baseline, ``new`` in the results."""

    seed: int
    verdict: Verdict
    old: float | None
    new: float | None
    reason: str

    @property
    def badness(self) -> tuple[bool, float]:
        """Sort key that is largest for the worst seed: a FAIL counts first, then the size of the relative change."""
        relative = change(self.old, self.new)
        return self.verdict is Verdict.FAIL, math.inf if relative is None else abs(relative)


def payload_bytes(label: str, matches: Sequence[CellMatch]) -> CheckResult:
    """Compare each rank's payload bytes in each epoch with those in the stored baseline.

    Args:
        label: The name of the cells, without the seed.
        matches: For each seed, the results' cell and the stored baseline's cell to compare it with.

    Returns:
        FAIL if any number of bytes differs, else PASS. The other fields of the result are those of the seed with the
        largest relative change.
    """

    names = ("bytes sent", "bytes received")

    def counts(epoch: StoredEpoch) -> _Counts:
        return epoch.payload_bytes.sent, epoch.payload_bytes.received

    return _worst(label, "payload_bytes", [_counted(match, names, counts) for match in matches])


def messages(label: str, matches: Sequence[CellMatch]) -> CheckResult:
    """Compare each rank's number of messages in each epoch with the baseline's; FAIL if any differ.

    Args:
        label: The name of the cells, without the seed.
        matches: For each seed, the results' cell and the baseline's cell to compare it with.
    """
    counted = [_counted(match, ("messages",), lambda epoch: (epoch.messages,)) for match in matches]
    return _worst(label, "messages", counted)


def wire_bytes(label: str, matches: Sequence[CellMatch], margin: float) -> list[CheckResult]:
    """Compare each seed's wire bytes, summed over ranks and epochs, with the baseline's.

    Args:
        label: The name of the cells, without the seed.
        matches: For each seed, the results' cell and the baseline's cell to compare it with.
        margin: The allowed growth, as a share of the baseline's wire bytes.

    Returns:
        One result for each of two groups of seeds, in this order; none for a group without seeds. Seeds that send
        nothing in the baseline are ignored.

        - Seeds with wire bytes in both cells: FAIL if the wire bytes of a seed grow by more than ``margin``, else PASS.
          The result has the values of the failing seed with the largest relative change. If no seed fails, it has the
          values of the seed with the largest relative change.
        - Seeds without wire bytes in one cell or in both cells: NOT_COMPARED.
    """
    sending = [match for match in matches if any(epoch.payload_bytes.total for epoch in match.baseline.epochs)]
    totals = [(match, _wire_total(match.baseline), _wire_total(match.current)) for match in sending]
    counted = [_wire_growth(t, old, new, margin) for t, old, new in totals if old is not None and new is not None]
    found = [_worst(label, "wire_bytes", counted)] if counted else []
    for _, old, new in [sides for sides in totals if None in sides][:1]:
        where = "in the baseline" if new is not None else "here" if old is not None else "here and in the baseline"
        reason = f"no wire bytes {where}: not every rank has an interface of its own"
        result = CheckResult(
            cell=label,
            metric="wire_bytes",
            verdict=Verdict.NOT_COMPARED,
            reason=reason,
            baseline=old,
            current=new,
            never_compared=old is None and new is None,
        )
        found.append(result)
    return found


def change(old: float | None, new: float | None) -> float | None:
    """Return new ÷ old − 1, and 0 if both are zero; None if only ``old`` is zero, or if a value is unknown."""
    if old is None or new is None:
        return None
    return new / old - 1 if old else 0.0 if not new else None


def _counted(match: CellMatch, names: Sequence[str], counts: Callable[[StoredEpoch], _Counts]) -> _SeedResult:
    before, after = ([counts(epoch) for epoch in side.epochs] for side in (match.baseline, match.current))
    old = sum([sum(ranks) for epoch in before for ranks in epoch])
    if before == after:
        same = "equal for every rank in every epoch"
        return _SeedResult(seed=match.seed, verdict=Verdict.PASS, old=old, new=old, reason=same)
    new = sum([sum(ranks) for epoch in after for ranks in epoch])
    reason = f"{_first_difference(names, before, after)}; {_signed(old, new)} in all; {_IF_INTENDED}"
    return _SeedResult(seed=match.seed, verdict=Verdict.FAIL, old=old, new=new, reason=reason)


def _first_difference(names: Sequence[str], before: Sequence[_Counts], after: Sequence[_Counts]) -> str:
    for number, sides in enumerate(zip(before, after, strict=False), start=1):
        for name, old, new in zip(names, *sides, strict=True):
            if len(old) != len(new):
                return f"ranks in epoch {number}: {len(old)} in the baseline, {len(new)} here"
            for rank, (one, other) in enumerate(zip(old, new, strict=True)):
                if one != other:
                    return f"{other} {name} by rank {rank} in epoch {number}, {one} in the baseline"
    return f"epochs: {len(before)} in the baseline, {len(after)} here"


def _wire_total(entry: BaselineCell) -> int | None:
    totals = [epoch.wire_bytes.total for epoch in entry.epochs if epoch.wire_bytes is not None]
    return sum(totals) if len(totals) == len(entry.epochs) else None


def _wire_growth(match: CellMatch, old: int, new: int, margin: float) -> _SeedResult:
    verdict = Verdict.FAIL if new > old * (1 + margin) else Verdict.PASS
    reason = f"{_signed(old, new)}; {margin:+.1%} allowed"
    return _SeedResult(seed=match.seed, verdict=verdict, old=old, new=new, reason=reason)


def _signed(old: float, new: float) -> str:
    relative = change(old, new)
    return f"{new:g}, nothing in the baseline" if relative is None else f"{relative:+.2%}"


def _worst(label: str, metric: str, checked: Sequence[_SeedResult]) -> CheckResult:
    """Return the result of the worst seed: the result in ``checked`` with the largest ``badness``.

    ``label`` is the name of the cells, without the seed. ``metric`` is the metric's name, such as ``payload_bytes``.
    """
    worst = max(checked, key=lambda one: one.badness)
    seed = "" if worst.verdict is Verdict.PASS and worst.old == worst.new else f"seed {worst.seed}: "
    return CheckResult(
        cell=label,
        metric=metric,
        verdict=worst.verdict,
        reason=f"{seed}{worst.reason}",
        baseline=worst.old,
        current=worst.new,
        change=change(worst.old, worst.new),
    )
