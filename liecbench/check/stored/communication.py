"""Communication beside the time that its bytes need on the wire; seconds are shown and never gated."""

import statistics
from collections.abc import Iterator, Sequence

from liecbench.check.stored.baseline import Entry, StoredEpoch, Traffic
from liecbench.check.stored.matching import Twin
from liecbench.check.verdict import Finding, Shown, Verdict
from liecbench.network.link_map import LinkMap

_METRIC = "communication_over_wire"
_BITS = 8
# A process that computes all the time takes half of two cores, and made communication of two ranks 14 % slower.
_BUSY = 0.15


def over_wire(
    label: str, twins: Sequence[Twin], *, margin: float, least_seconds_per_step: float
) -> Finding | Shown | None:
    """The ratio by paired seeds: gated where a step's bytes take long enough, else shown; None where nothing is shaped.

    The least of a cell's epochs counts, of the rank that communicated least: what disturbs only lengthens.
    """
    if not LinkMap.parse(twins[0].current.spec["link"]).shaped:
        return None
    # Wire bytes hold headers, payload bytes do not: both sides take the same.
    by_wire = all(epoch.wire_bytes is not None for twin in twins for epoch in _epochs(twin))
    if not all(_known(epoch) for twin in twins for epoch in _epochs(twin)):
        reason = "not every record says how long the rank that communicated least did: an earlier version wrote it"
        return Finding(cell=label, metric=_METRIC, verdict=Verdict.NOT_COMPARED, reason=reason)
    pairs = [(_ratio(twin.baseline, by_wire), _ratio(twin.current, by_wire)) for twin in twins]
    known = [(old, new) for old, new in pairs if old is not None and new is not None]
    if not known:
        return None
    old, new = (statistics.median(side) for side in zip(*known, strict=True))
    if min(_seconds_per_step(twin.baseline, by_wire) for twin in twins) < least_seconds_per_step:
        return Shown(cell=label, metric=_METRIC, baseline=old, current=new)
    return _judged(label, known, margin, _added_share(twins))


def shown(label: str, twins: Sequence[Twin]) -> Iterator[Shown]:
    """Seconds an epoch, mean over seeds and epochs; of what travels too, where no link says how long it should take."""
    names = ["train_seconds", "exposed_seconds"]
    if not LinkMap.parse(twins[0].current.spec["link"]).shaped:
        names.append("communicate_seconds")
    for name in names:
        sides = [(_per_epoch(twin.baseline, name), _per_epoch(twin.current, name)) for twin in twins]
        known = [(old, new) for old, new in sides if old is not None and new is not None]
        if known:
            old, new = (statistics.fmean(side) for side in zip(*known, strict=True))
            metric = f"{name.removeprefix('train_')}_per_epoch"
            yield Shown(cell=label, metric=metric, baseline=old, current=new)


def _judged(label: str, ratios: Sequence[tuple[float, float]], margin: float, busier: float) -> Finding:
    old, new = (statistics.median(side) for side in zip(*ratios, strict=True))
    slower = statistics.median(after / before - 1 for before, after in ratios)
    verdict, busy = Verdict.PASS, ""
    if slower > margin:
        verdict = Verdict.FAIL
        if busier > _BUSY:
            verdict = Verdict.INCONCLUSIVE
            busy = f"; other processes had {busier:.0%} more of the processors: run it on an idle machine"
    return Finding(
        cell=label,
        metric=_METRIC,
        verdict=verdict,
        reason=f"{slower:+.1%}, the median of {len(ratios)} seeds; {margin:+.0%} allowed{busy}",
        baseline=old,
        current=new,
        change=slower,
    )


def _added_share(twins: Sequence[Twin]) -> float:
    """How much more of the processors was busy with other things than for the baseline; 0 where it is not recorded."""
    sides = [(_share(twin.baseline), _share(twin.current)) for twin in twins]
    added = [after - before for before, after in sides if before is not None and after is not None]
    return statistics.median(added) if added else 0.0


def _share(entry: Entry) -> float | None:
    shares = [epoch.other_cpu_share for epoch in entry.epochs if epoch.other_cpu_share is not None]
    return statistics.median(shares) if shares else None


def _epochs(twin: Twin) -> list[StoredEpoch]:
    return [*twin.baseline.epochs, *twin.current.epochs]


def _known(epoch: StoredEpoch) -> bool:
    """Whether its communication was timed, where any step was and something travelled."""
    return bool(epoch.least_communicate_seconds) or not epoch.timed_steps or not epoch.payload_bytes.total


def _ratio(entry: Entry, by_wire: bool) -> float | None:
    """The least of the epochs; None where none was timed or sent anything."""
    link = LinkMap.parse(entry.spec["link"])
    ratios = []
    for epoch in entry.epochs:
        seconds = _wire_seconds(epoch, link, by_wire)
        if epoch.timed_steps and seconds and epoch.least_communicate_seconds:
            ratios.append(epoch.least_communicate_seconds * epoch.steps / epoch.timed_steps / seconds)
    return min(ratios, default=None)


def _seconds_per_step(entry: Entry, by_wire: bool) -> float:
    link = LinkMap.parse(entry.spec["link"])
    seconds = sum(_wire_seconds(epoch, link, by_wire) for epoch in entry.epochs)
    return seconds / sum(epoch.steps for epoch in entry.epochs)


def _wire_seconds(epoch: StoredEpoch, link: LinkMap, by_wire: bool) -> float:
    """What the busiest direction of any rank takes at the rate that was asked for."""
    traffic: Traffic = epoch.payload_bytes
    if by_wire and epoch.wire_bytes is not None:
        traffic = epoch.wire_bytes
    up = [_BITS * sent / link.of(rank).up_bits_per_second for rank, sent in enumerate(traffic.sent)]
    down = [_BITS * got / link.of(rank).down_bits_per_second for rank, got in enumerate(traffic.received)]
    return max([*up, *down], default=0.0)


def _per_epoch(entry: Entry, name: str) -> float | None:
    """Steps that were warm-up count as much as the others do."""
    timed = sum(epoch.timed_steps for epoch in entry.epochs)
    whole_epochs = timed / entry.epochs[-1].steps
    return sum(getattr(epoch, name) for epoch in entry.epochs) / whole_epochs if timed else None
