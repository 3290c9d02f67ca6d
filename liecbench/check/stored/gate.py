"""The check of results against a stored baseline.

Payload bytes and messages must be equal. Wire bytes, and communication time ÷ wire time, may grow by a margin. Wire
time is wire bytes ÷ the link's rate. In the first steps, each loss, compression error and residual norm may differ by a
small margin. Over whole trainings, accuracy may fall, losses may rise, and compression error and residual norm may
change by a margin, judged by confidence bounds over seeds. Times in seconds are only printed.
"""

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from liecbench.check.stored import communication, exact, matching, seeds, training_numbers
from liecbench.check.stored.baseline import Baseline
from liecbench.check.stored.baseline_cell import BaselineCell
from liecbench.check.stored.early_numbers import first_steps
from liecbench.check.stored.matching import CellMatch
from liecbench.check.stored.seed_groups import SeedGroup, by_seeds, seed_groups, seed_names
from liecbench.check.stored.uncompared import incomparable, uncompared
from liecbench.check.verdict import CheckResult, FailedCell, Outcome, UngatedMetric, Verdict
from liecbench.results.accuracy_verdict import accuracy_resolution
from liecbench.results.cells import CellResult

_STATUS = "status"
_TIME_NOT_GATED: Final = (
    "time is gated only on the baseline's machine and shaped link, if a step's bytes need 20 ms on the wire; "
    "`check scenarios`, `check revisions` and `check pythons` compare times side by side"
)
_NOT_REPEATABLE: Final = "GPU libraries sum in another order on every run: only accuracy and loss are compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """Allowed changes from the baseline to the results.

    Attributes:
        wire: Allowed relative growth of wire bytes.
        first_steps: Allowed relative difference of each loss, compression error and residual norm in the first steps.
            Only for cells on the CPU.
        numerics: Allowed relative change of the compression error, and of the residual norm, over whole trainings,
            averaged over seeds. Only for cells on the CPU.
        accuracy_points: Allowed drop of the test accuracy, as a fraction: 0.005 is 0.5 points.
        loss_nats: Allowed rise of the test loss of language models, in nats.
        loss: Allowed relative growth of the training loss.
        communication: Allowed relative growth of communication time ÷ wire time.
        alpha: Highest probability that a group of confidence bounds contains a wrong bound. There are three groups: the
            lower bounds of accuracy and loss, the upper bounds of accuracy and loss, and all bounds of compression
            error and residual norm.
        least_wire_seconds_per_step: If the baseline's wire time per step is less than this many seconds,
            communication time ÷ wire time cannot fail the check.
    """

    wire: float = 0.02
    first_steps: float = 1e-4
    numerics: float = 0.05
    accuracy_points: float = 0.005
    loss_nats: float = 0.02
    loss: float = 0.05
    communication: float = 0.10
    alpha: float = 0.05
    least_wire_seconds_per_step: float = 0.020


@dataclass(frozen=True, slots=True, kw_only=True)
class _Levels:
    """The probability that a confidence bound is wrong.

    Attributes:
        bounds: That of a bound of accuracy or loss.
        intervals: That of a bound of the compression error or the residual norm.
    """

    bounds: float
    intervals: float


def check_stored(cells: Iterable[CellResult], baseline: Baseline, margins: Margins) -> Outcome:
    """Compare the cells of a results directory with a baseline, seed by seed.

    Args:
        cells: The cells of the results directory, one per configuration and seed.
        baseline: The stored baseline.
        margins: The allowed changes.

    Returns:
        The outcome of the check. Each of its results is on one metric of a group of cells that differ only in the seed.
    """
    shortened, entries = [], []
    for cell in cells:
        entries.append(BaselineCell.of(cell))
        shortened.append(dataclasses.replace(cell, epochs=[], timings=(), long_run=None))  # frees their memory
    groups = seed_groups(shortened, entries, baseline)
    num_tests = sum(seeds.num_tests(group.comparable("numerics")) for group in groups)
    num_intervals = sum(training_numbers.num_tests(group.comparable("numerics")) for group in groups)
    levels = _Levels(bounds=margins.alpha / max(num_tests, 1), intervals=margins.alpha / 2 / max(num_intervals, 1))
    results: list[CheckResult] = []
    ungated: list[UngatedMetric] = []
    failed: list[FailedCell] = []
    for label, group in zip(matching.labels([group.example for group in groups]), groups, strict=True):
        failed += [
            FailedCell(cell=f"{label} · seed {cell.spec['seed']}", reason=_first_line(cell)) for cell in group.failed
        ]
        results += _statuses(label, group)
        if group.matches:
            results += [*_bytes(label, group, margins), *_numbers(label, group, margins, levels)]
            timed = _times(label, group, margins)
            results += [found for found in timed if isinstance(found, CheckResult)]
            ungated += [found for found in timed if isinstance(found, UngatedMetric)]
    return Outcome(
        results=tuple(results),
        ungated=tuple(ungated),
        notes=() if any(result.gates_time for result in results) else (_TIME_NOT_GATED,),
        failed_cells=tuple(failed),
        settings={
            **dataclasses.asdict(margins),
            "bounded_tests": num_tests,
            "level": levels.bounds,
            "baseline": {"liecbench": baseline.liecbench, "cells": len(baseline.cells)},
        },
    )


def _statuses(label: str, group: SeedGroup) -> list[CheckResult]:
    """Return results for the cells of a group that cannot be compared with the baseline.

    The verdict is FAIL for cells that diverged, and INCONCLUSIVE for cells that are unfinished or that only the
    baseline has. The verdict is NOT_COMPARED for cells that match no cell of the baseline. Cells with the status
    ``failed`` are left out. ``label`` is the name of the group's cells.
    """
    found = []
    if diverged := group.seeds_with("diverged"):
        why = next(_first_line(cell) for cell in group.known if cell.status == "diverged")
        found.append((Verdict.FAIL, f"{seed_names(diverged)}: diverged, and completed in the baseline: {why}"))
    if unfinished := group.seeds_with("unfinished"):
        found.append((Verdict.INCONCLUSIVE, f"{seed_names(unfinished)}: unfinished; let `liecbench run` finish it"))
    if group.missing:
        remedy = "run it, or write the baseline again"
        found.append((Verdict.INCONCLUSIVE, f"{seed_names(group.missing)}: the results have no such cell; {remedy}"))
    found += [
        (Verdict.NOT_COMPARED, f"{seed_names(seeds)}: {reason}") for reason, seeds in by_seeds(group.unknown).items()
    ]
    return [CheckResult(cell=label, metric=_STATUS, verdict=verdict, reason=reason) for verdict, reason in found]


def _bytes(label: str, group: SeedGroup, margins: Margins) -> list[CheckResult]:
    found = [exact.payload_bytes(label, group.matches)]
    found += [exact.messages(label, group.matches)] if group.example.is_trained else []
    compare = functools.partial(exact.wire_bytes, margin=margins.wire)
    return [*found, *compare(label, group.comparable("wire")), *uncompared(label, group, "wire", compare)]


def _numbers(label: str, group: SeedGroup, margins: Margins, levels: _Levels) -> list[CheckResult]:
    """Return the results on the numbers of the training: of the first steps, of the whole training, and of its end.

    For seeds whose baseline is from another machine or setting, the verdict is NOT_COMPARED, with the reason.

    Args:
        label: The name of the group's cells.
        group: Cells that differ only in the seed.
        margins: The allowed changes.
        levels: The probabilities that confidence bounds are wrong.
    """

    def compare(name: str, matches: Sequence[CellMatch]) -> list[CheckResult]:
        found = _repeatable(name, matches, margins, levels.intervals)
        return [*found, *_seeds(name, group, matches, margins, levels.bounds)]

    matches = group.comparable("numerics")
    compared = compare(label, matches) if matches else []
    return [*uncompared(label, group, "numerics", compare), *compared]


def _repeatable(label: str, matches: Sequence[CellMatch], margins: Margins, level: float) -> list[CheckResult]:
    """Return the results on the metrics ``first_steps``, ``compression_error`` and ``residual_norm``.

    ``first_steps`` covers the losses, the compression error and the residual norm of the first steps.
    ``compression_error`` and ``residual_norm`` are means over whole trainings.

    For cells on a GPU, the verdict on a metric is FAIL if one of the metric's numbers is only in the results or only
    in the baseline. All other verdicts on a GPU are NOT_COMPARED, because the numbers vary from run to run.

    ``level`` is the probability that the lower bound of a confidence interval is wrong, and equally the upper bound.
    """
    found = [first_steps(label, matches, margins.first_steps)]
    for metric in training_numbers.METRICS:
        found += training_numbers.number_results(
            label, matches, metric, margin=margins.numerics, equal=margins.first_steps, level=level
        )
    if matches[0].current.spec["device"] == "cpu":
        return found
    return [
        dataclasses.replace(one, verdict=Verdict.NOT_COMPARED, reason=_NOT_REPEATABLE, never_compared=True)
        if one.baseline is not None and one.current is not None
        else one
        for one in found
    ]


def _seeds(
    label: str, group: SeedGroup, matches: Sequence[CellMatch], margins: Margins, level: float
) -> Sequence[CheckResult]:
    return seeds.seed_results(
        label,
        matches,
        accuracy_points=margins.accuracy_points,
        loss_nats=margins.loss_nats,
        resolution=accuracy_resolution(group.known),
        loss=margins.loss,
        level=level,
    )


def _times(label: str, group: SeedGroup, margins: Margins) -> list[CheckResult | UngatedMetric]:
    def compare(name: str, matches: Sequence[CellMatch]) -> list[CheckResult | UngatedMetric]:
        least = margins.least_wire_seconds_per_step
        ratio = communication.over_wire(name, matches, margin=margins.communication, least_seconds_per_step=least)
        return [*([ratio] if ratio else []), *communication.ungated_seconds(name, matches)]

    def results(name: str, matches: Sequence[CellMatch]) -> list[CheckResult]:
        return [one for one in compare(name, matches) if isinstance(one, CheckResult)]

    matches = group.comparable("time")
    found = [*uncompared(label, group, "time", results), *(compare(label, matches) if matches else [])]
    others = [one for name, those in incomparable(label, group, "time") for one in compare(name, those)]
    return [*found, *(one for one in others if isinstance(one, UngatedMetric))]


def _first_line(cell: CellResult) -> str:
    return (cell.error or cell.status).partition("\n")[0]
