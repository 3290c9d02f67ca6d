"""Compare communication times of results with those of a baseline.

Wire time is the time that bytes need at the link's rate. The ratio of communication time to wire time can fail a check.
Times in seconds are only printed.
"""

import operator
import statistics
from collections.abc import Iterator, Sequence

from liecbench.check.stored.baseline_cell import BaselineCell
from liecbench.check.stored.matching import CellMatch
from liecbench.check.stored.stored_epoch import StoredEpoch
from liecbench.check.verdict import COMMUNICATION_OVER_WIRE, CheckResult, UngatedMetric, Verdict
from liecbench.network.link_map import LinkMap

_BITS = 8
# A ratio that grew is inconclusive if other processes used this much more of the CPU than with the baseline. Measured:
# a process that kept one of two cores busy, a share of 0.5, made two ranks' communication 14 % slower.
_BUSY = 0.15


def over_wire(
    label: str, matches: Sequence[CellMatch], *, margin: float, least_seconds_per_step: float
) -> CheckResult | UngatedMetric | None:
    """Compare the ratio communication time ÷ wire time with the baseline's, seed by seed.

    Wire time is bytes ÷ the link's rate. If wire bytes are unknown for any epoch, payload bytes are used for all
    epochs. The communication time of an epoch is the time of the rank that communicated least. The ratio of a cell is
    the smallest ratio of its epochs.

    Args:
        label: The cell's name.
        matches: For each seed of a configuration, the results' cell and the baseline's cell to compare it with.
        margin: Relative growth of the ratio that is allowed.
        least_seconds_per_step: The shortest wire time per step in the baseline, in seconds, that permits a verdict.

    Returns:
        The first of these whose condition is met:

        - None, if the link is unshaped in the results or in the baseline of any seed.
        - A result with the verdict NOT_COMPARED, if the communication time is unknown for an epoch that has timed steps
          and sent bytes.
        - None, if no seed has a ratio in both the results and the baseline.
        - A metric without a verdict, if the baseline's wire time per step is shorter than ``least_seconds_per_step``
          for at least one seed.
        - In all other cases, a result with the verdict PASS, FAIL or INCONCLUSIVE.
    """
    if not all(_is_shaped(side) for match in matches for side in (match.baseline, match.current)):
        return None
    # Wire bytes include headers, payload bytes do not: the baseline and the results must use the same kind.
    by_wire = all(epoch.wire_bytes is not None for match in matches for epoch in _epochs(match))
    if not all(_known(epoch) for match in matches for epoch in _epochs(match)):
        reason = "an earlier version wrote the records: not all of them have the least communication time of a rank"
        return CheckResult(cell=label, metric=COMMUNICATION_OVER_WIRE, verdict=Verdict.NOT_COMPARED, reason=reason)
    baseline = [_wire_seconds(match.baseline, by_wire) for match in matches]
    pairs = [
        (_ratio(match.baseline, seconds), _ratio(match.current, _wire_seconds(match.current, by_wire)))
        for match, seconds in zip(matches, baseline, strict=True)
    ]
    known = [(old, new) for old, new in pairs if old is not None and new is not None]
    if not known:
        return None
    old, new = (statistics.median(side) for side in zip(*known, strict=True))
    if min(map(_seconds_per_step, matches, baseline)) < least_seconds_per_step:
        return UngatedMetric(cell=label, metric=COMMUNICATION_OVER_WIRE, baseline=old, current=new)
    # With interleaved timing, all seeds have the times of one session.
    interleaved = matches[0].current.spec["timing"] == "interleaved"
    source = "from one timing session" if interleaved else f"the median of {len(known)} seeds"
    return _result(label, known, margin, _added_share(matches), source)


def ungated_seconds(label: str, matches: Sequence[CellMatch]) -> Iterator[UngatedMetric]:
    """Yield the seconds per epoch that are printed but cannot fail the check, each for the baseline and the results.

    They are the training seconds, the exposed communication seconds and, on an unshaped link, all communication
    seconds. Each number is a mean over the seeds. A seed does not count if none of its steps was timed in the results,
    or none in the baseline. If no seed counts, yield nothing.

    Args:
        label: The cell's name.
        matches: For each seed of a configuration, the results' cell and the baseline's cell to compare it with.
    """
    names = ["train_seconds", "exposed_seconds"]
    if not LinkMap.parse(matches[0].current.spec["link"]).shaped:
        names.append("communicate_seconds")
    for name in names:
        sides = [(_per_epoch(match.baseline, name), _per_epoch(match.current, name)) for match in matches]
        known = [(old, new) for old, new in sides if old is not None and new is not None]
        if known:
            old, new = (statistics.fmean(side) for side in zip(*known, strict=True))
            metric = f"{name.removeprefix('train_')}_per_epoch"
            yield UngatedMetric(cell=label, metric=metric, baseline=old, current=new)


def _result(
    label: str, ratios: Sequence[tuple[float, float]], margin: float, added_share: float, source: str
) -> CheckResult:
    old, new = (statistics.median(side) for side in zip(*ratios, strict=True))
    slower = new / old - 1
    verdict, busy = Verdict.PASS, ""
    if slower > margin:
        verdict = Verdict.FAIL
        if added_share > _BUSY:
            verdict = Verdict.INCONCLUSIVE
            busy = f"; other processes used {added_share:.0%} more of the processors: repeat it on an idle machine"
    return CheckResult(
        cell=label,
        metric=COMMUNICATION_OVER_WIRE,
        verdict=verdict,
        reason=f"{slower:+.1%}, {source}; {margin:+.0%} allowed{busy}",
        baseline=old,
        current=new,
        change=slower,
    )


def _added_share(matches: Sequence[CellMatch]) -> float:
    """Return how much larger the CPU share of other processes is in the results than in the baseline.

    The CPU share is the fraction of the CPU that these processes used, from 0 to 1. The return value is the median over
    seeds of the results' share − the baseline's share; 0 if no seed has both shares.
    """
    sides = [(_share(match.baseline), _share(match.current)) for match in matches]
    added = [after - before for before, after in sides if before is not None and after is not None]
    return statistics.median(added) if added else 0.0


def _is_shaped(entry: BaselineCell) -> bool:
    return LinkMap.parse(entry.spec["link"]).shaped


def _share(entry: BaselineCell) -> float | None:
    shares = [epoch.other_cpu_share for epoch in entry.epochs if epoch.other_cpu_share is not None]
    return statistics.median(shares) if shares else None


def _epochs(match: CellMatch) -> list[StoredEpoch]:
    return [*match.baseline.epochs, *match.current.epochs]


def _known(epoch: StoredEpoch) -> bool:
    """Return True if an epoch's communication time is known or not needed.

    A time of None or 0 is unknown. The time is not needed if no steps were timed or no payload bytes were sent.
    """
    return bool(epoch.least_communicate_seconds) or not epoch.timed_steps or not epoch.payload_bytes.total


def _ratio(entry: BaselineCell, wire_seconds: Sequence[float]) -> float | None:
    """Return the smallest ratio communication time ÷ wire time of a cell's epochs; None if no epoch has a ratio.

    An epoch has no ratio if none of its steps was timed, or if either time is 0 or unknown.

    Args:
        entry: The cell.
        wire_seconds: The wire time of each epoch: the seconds that its bytes need at the link's rate.
    """
    ratios = [
        epoch.least_communicate_seconds * epoch.steps / epoch.timed_steps / seconds
        for epoch, seconds in zip(entry.epochs, wire_seconds, strict=True)
        if epoch.timed_steps and seconds and epoch.least_communicate_seconds
    ]
    return min(ratios, default=None)  # disturbances only add time


def _seconds_per_step(match: CellMatch, wire_seconds: Sequence[float]) -> float:
    """Return the mean wire time per step of ``match.baseline``, in seconds.

    Wire time is the time that bytes need at the link's rate. ``wire_seconds`` lists the wire time of each epoch of
    ``match.baseline``, in seconds.
    """
    return sum(wire_seconds) / sum([epoch.steps for epoch in match.baseline.epochs])


def _rates(entry: BaselineCell) -> list[tuple[float, float]]:
    """Return each rank's measured link rates (up, down) in bytes per second; the requested rates if none were measured.

    A measured rate may differ from the requested one by up to 15 %, and communication times then differ as much.
    """
    if entry.environment.link and entry.environment.link.measured:
        measured = entry.environment.link.measured
        return [(rank.up_bits_per_second / _BITS, rank.down_bits_per_second / _BITS) for rank in measured]
    asked, ranks = LinkMap.parse(entry.spec["link"]), range(entry.spec["workers"])
    return [(asked.of(rank).up_bits_per_second / _BITS, asked.of(rank).down_bits_per_second / _BITS) for rank in ranks]


def _wire_seconds(entry: BaselineCell, by_wire: bool) -> list[float]:
    """Return the wire time of each epoch of a cell, in seconds: the longest wire time of any rank.

    The wire time of a rank is the larger of sent bytes ÷ up rate and received bytes ÷ down rate.

    Args:
        entry: The cell.
        by_wire: True to count wire bytes, False to count payload bytes. For epochs without wire bytes, payload bytes
            are always counted.
    """
    rates = _rates(entry)
    up, down = [rate for rate, _ in rates], [rate for _, rate in rates]
    found = []
    for epoch in entry.epochs:
        traffic = epoch.wire_bytes if by_wire and epoch.wire_bytes is not None else epoch.payload_bytes
        seconds = [*map(operator.truediv, traffic.sent, up), *map(operator.truediv, traffic.received, down)]
        found.append(max(seconds, default=0.0))
    return found


def _per_epoch(entry: BaselineCell, name: str) -> float | None:
    """Return the mean seconds per epoch in the field ``name``, such as ``train_seconds``; None if no step was timed.

    The field covers only the timed steps of an epoch. The mean is scaled up to all steps.
    """
    timed = sum([epoch.timed_steps for epoch in entry.epochs])
    whole_epochs = timed / entry.epochs[-1].steps
    total: float = sum([getattr(epoch, name) for epoch in entry.epochs])
    return total / whole_epochs if timed else None
