"""The gate against a stored baseline: bytes exactly, accuracy by bounds over seeds, and never an absolute time."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from liecbench.check.stored import communication, exact, matching, seeds
from liecbench.check.stored.baseline import Baseline, Entry
from liecbench.check.stored.matching import Kind, Twin
from liecbench.check.verdict import Finding, Outcome, Shown, Verdict
from liecbench.results.cells import CellResult

_STATUS = "status"
# What stands in the place of a kind of metrics that are not compared.
_METRICS: dict[Kind, str] = {
    "wire": "wire_bytes",
    "numerics": "accuracy, loss and compression error",
    "time": "communication and seconds",
}
_UNREPEATABLE: Final = (
    "on GPUs, whose libraries add up in another order each time: accuracy and loss are compared alone"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """How much worse than the baseline is no regression yet.

    ``wire``, ``numerics`` (of cells on the CPU), ``loss`` and ``communication`` are relative, ``accuracy_points`` is a
    fraction; ``alpha`` is the probability that any bound of accuracy or loss in a whole check is wrong. Communication
    is gated from ``least_wire_seconds_per_step`` on.
    """

    wire: float = 0.02
    numerics: float = 1e-4
    accuracy_points: float = 0.005
    loss: float = 0.05
    communication: float = 0.10
    alpha: float = 0.05
    least_wire_seconds_per_step: float = 0.020


@dataclass(slots=True, kw_only=True)
class _Group:
    """Cells that differ in nothing but the seed; ``twins`` are those that completed here and in the baseline.

    Of the cells that the baseline lacks ``foreign`` says why, by seed; ``missing`` are seeds that the results lack.
    """

    example: Entry
    matched: list[CellResult] = field(default_factory=list)
    failed: list[CellResult] = field(default_factory=list)
    twins: list[Twin] = field(default_factory=list)
    foreign: dict[int, str] = field(default_factory=dict)
    missing: list[int] = field(default_factory=list)

    def comparable(self, kind: Kind) -> list[Twin]:
        """The twins of which a kind of figures can be compared."""
        return [twin for twin in self.twins if not twin.differences(kind)]

    def seeds_with(self, status: str) -> list[int]:
        """The seeds of the cells that ended so, and that the baseline completed."""
        return [cell.spec["seed"] for cell in self.matched if cell.status == status]


def check_stored(cells: Sequence[CellResult], baseline: Baseline, margins: Margins) -> Outcome:
    """Compare the cells of one results directory with a baseline, seed by seed; one finding a metric of equal cells."""
    groups = _grouped(cells, baseline)
    num_tests = sum(seeds.num_bounded(group.comparable("numerics")) for group in groups)
    level = margins.alpha / max(num_tests, 1)
    findings: list[Finding] = []
    shown: list[Shown] = []
    failed: list[str] = []
    for label, group in zip(matching.labels([group.example for group in groups]), groups, strict=True):
        failed += [f"{label} · seed {cell.spec['seed']}: {_first_line(cell)}" for cell in group.failed]
        findings += _statuses(label, group)
        if group.twins:
            findings += [*_bytes(label, group, margins), *_numerics(label, group, margins, level)]
            timed = _times(label, group, margins)
            findings += [found for found in timed if isinstance(found, Finding)]
            shown += [found for found in timed if isinstance(found, Shown)]
    return Outcome(
        findings=tuple(findings),
        shown=tuple(shown),
        failed_cells=tuple(failed),
        settings={
            **dataclasses.asdict(margins),
            "bounded_tests": num_tests,
            "level": level,
            "baseline": {"liecbench": baseline.liecbench, "cells": len(baseline.cells)},
        },
    )


def _grouped(cells: Sequence[CellResult], baseline: Baseline) -> list[_Group]:
    """In the order of the results; then what only the baseline has, unless it has nothing of the results at all."""
    entries = [Entry.of(cell) for cell in cells]
    places = matching.match(entries, baseline.cells)
    groups: dict[str, _Group] = {}
    for cell, entry, place in zip(cells, entries, places, strict=True):
        group = groups.setdefault(matching.but_for_seed(entry), _Group(example=entry))
        if cell.status == "failed":
            group.failed.append(cell)
        elif place is None:
            apart = "; ".join(matching.differences_from_nearest(entry, baseline.cells))
            group.foreign[entry.seed] = f"the baseline has no such cell; the nearest differs: {apart}"
        else:
            group.matched.append(cell)
            if cell.status == "completed":
                group.twins.append(Twin(baseline=baseline.cells[place], current=entry))
    if any(place is not None for place in places):
        for place, entry in enumerate(baseline.cells):
            if place not in places:
                group = groups.setdefault(matching.but_for_seed(entry), _Group(example=entry))
                group.missing.append(entry.seed)
    return list(groups.values())


def _statuses(label: str, group: _Group) -> list[Finding]:
    """What of a group is not there to be measured."""
    found = []
    if diverged := group.seeds_with("diverged"):
        why = next(_first_line(cell) for cell in group.matched if cell.status == "diverged")
        found.append((Verdict.FAIL, f"{_named(diverged)}: diverged, where the baseline's completed: {why}"))
    if unfinished := group.seeds_with("unfinished"):
        found.append((Verdict.INCONCLUSIVE, f"{_named(unfinished)}: unfinished; let `liecbench run` finish it"))
    if group.missing:
        remedy = "run it, or write the baseline anew"
        found.append((Verdict.INCONCLUSIVE, f"{_named(group.missing)}: the results have no such cell; {remedy}"))
    found += [(Verdict.NOT_COMPARED, reason) for reason in _by_seeds(group.foreign)]
    return [Finding(cell=label, metric=_STATUS, verdict=verdict, reason=reason) for verdict, reason in found]


def _bytes(label: str, group: _Group, margins: Margins) -> list[Finding]:
    found = [exact.payload_bytes(label, group.twins), exact.messages(label, group.twins)]
    found += exact.wire_bytes(label, group.comparable("wire"), margins.wire)
    return [*found, *_not_compared(label, group, "wire")]


def _numerics(label: str, group: _Group, margins: Margins, level: float) -> list[Finding]:
    found = _not_compared(label, group, "numerics")
    if twins := group.comparable("numerics"):
        found += _closeness(label, twins, "compression_error", margins.numerics)
        found += _closeness(label, twins, "residual_norm", margins.numerics)
        found += seeds.findings(label, twins, accuracy_points=margins.accuracy_points, loss=margins.loss, level=level)
    return found


def _closeness(
    label: str, twins: Sequence[Twin], metric: Literal["compression_error", "residual_norm"], margin: float
) -> list[Finding]:
    """On GPUs only whether both sides have any: no run there repeats the numbers of another."""
    found = exact.closeness(label, twins, metric, margin)
    if twins[0].current.spec["device"] == "cpu":
        return found
    return [
        dataclasses.replace(one, verdict=Verdict.NOT_COMPARED, reason=_UNREPEATABLE)
        if one.baseline is not None and one.current is not None
        else one
        for one in found
    ]


def _times(label: str, group: _Group, margins: Margins) -> list[Finding | Shown]:
    found: list[Finding | Shown] = [*_not_compared(label, group, "time")]
    if twins := group.comparable("time"):
        least = margins.least_wire_seconds_per_step
        ratio = communication.over_wire(label, twins, margin=margins.communication, least_seconds_per_step=least)
        found += [*([ratio] if ratio else []), *communication.shown(label, twins)]
    return found


def _not_compared(label: str, group: _Group, kind: Kind) -> list[Finding]:
    """What keeps figures of this kind from being compared, unless nothing does."""
    apart = {twin.seed: differences for twin in group.twins if (differences := twin.differences(kind))}
    told = {}
    for seed, differences in apart.items():
        whose = "machine" if any(text.startswith(("cpu:", "gpus:")) for text in differences) else "setting"
        told[seed] = f"the baseline is of another {whose}: {'; '.join(differences)}"
    return [
        Finding(cell=label, metric=_METRICS[kind], verdict=Verdict.NOT_COMPARED, reason=reason)
        for reason in _by_seeds(told, all_of=len(group.twins))
    ]


def _by_seeds(reasons: dict[int, str], all_of: int = 0) -> list[str]:
    """Each reason once, with the seeds that it is of; without them where it is of all."""
    seeds_of: dict[str, list[int]] = {}
    for seed, reason in reasons.items():
        seeds_of.setdefault(reason, []).append(seed)
    return [reason if len(of) == all_of else f"{_named(of)}: {reason}" for reason, of in seeds_of.items()]


def _named(of: Sequence[int]) -> str:
    return f"seed{'s' if len(of) > 1 else ''} {', '.join(map(str, of))}"


def _first_line(cell: CellResult) -> str:
    return (cell.error or cell.status).partition("\n")[0]
