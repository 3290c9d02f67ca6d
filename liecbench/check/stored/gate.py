"""The check of results against a stored baseline.

Payload bytes and messages must be equal. Wire bytes, and communication time ÷ wire time, may grow by a margin. Wire
time is wire bytes ÷ the link's rate. In the first steps, each loss, compression error and residual norm may differ by a
small margin. Over whole trainings, accuracy may fall, losses may rise, and compression error and residual norm may
change by a margin, judged by confidence bounds over seeds. Times in seconds are only printed.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from liecbench.check.stored import communication, exact, matching, seeds, training_numbers
from liecbench.check.stored.baseline import Baseline
from liecbench.check.stored.baseline_cell import BaselineCell
from liecbench.check.stored.early_numbers import first_steps
from liecbench.check.stored.matching import Kind
from liecbench.check.stored.seed_groups import SeedGroup, seed_groups
from liecbench.check.verdict import CheckResult, FailedCell, Outcome, UngatedMetric, Verdict
from liecbench.results.accuracy_verdict import accuracy_resolution
from liecbench.results.cells import CellResult

_STATUS = "status"
# For each kind, the text in place of a metric's name if none of the kind's metrics can be compared.
_KIND_NAMES: dict[Kind, str] = {
    "wire": "wire_bytes",
    "numerics": "accuracy, loss and compression error",
    "time": "communication and seconds",
}
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
    level = margins.alpha / max(num_tests, 1)
    num_intervals = sum(training_numbers.num_tests(group.comparable("numerics")) for group in groups)
    interval_level = margins.alpha / 2 / max(num_intervals, 1)
    results: list[CheckResult] = []
    ungated: list[UngatedMetric] = []
    failed: list[FailedCell] = []
    for label, group in zip(matching.labels([group.example for group in groups]), groups, strict=True):
        failed += [
            FailedCell(cell=f"{label} · seed {cell.spec['seed']}", reason=_first_line(cell)) for cell in group.failed
        ]
        results += _statuses(label, group)
        if group.matches:
            results += [*_bytes(label, group, margins), *_numbers(label, group, margins, interval_level)]
            results += _seeds(label, group, margins, level)
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
            "level": level,
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
        found.append((Verdict.FAIL, f"{_seed_names(diverged)}: diverged, and completed in the baseline: {why}"))
    if unfinished := group.seeds_with("unfinished"):
        found.append((Verdict.INCONCLUSIVE, f"{_seed_names(unfinished)}: unfinished; let `liecbench run` finish it"))
    if group.missing:
        remedy = "run it, or write the baseline again"
        found.append((Verdict.INCONCLUSIVE, f"{_seed_names(group.missing)}: the results have no such cell; {remedy}"))
    found += [(Verdict.NOT_COMPARED, reason) for reason in _by_seeds(group.unknown)]
    return [CheckResult(cell=label, metric=_STATUS, verdict=verdict, reason=reason) for verdict, reason in found]


def _bytes(label: str, group: SeedGroup, margins: Margins) -> list[CheckResult]:
    found = [exact.payload_bytes(label, group.matches)]
    found += [exact.messages(label, group.matches)] if group.example.is_trained else []
    found += exact.wire_bytes(label, group.comparable("wire"), margins.wire)
    return [*found, *_not_compared(label, group, "wire")]


def _numbers(label: str, group: SeedGroup, margins: Margins, level: float) -> list[CheckResult]:
    """Return the results on the metrics ``first_steps``, ``compression_error`` and ``residual_norm``.

    ``first_steps`` covers the losses, the compression error and the residual norm of the first steps.
    ``compression_error`` and ``residual_norm`` are means over whole trainings. For seeds whose baseline is from another
    machine or setting, a result with the verdict NOT_COMPARED gives the reason.

    For cells on a GPU, the verdict on a metric is FAIL if one of the metric's numbers is only in the results or only
    in the baseline. All other verdicts on a GPU are NOT_COMPARED, because the numbers vary from run to run.

    Args:
        label: The name of the group's cells.
        group: Cells that differ only in the seed.
        margins: The allowed changes.
        level: The probability that the lower bound of a confidence interval is wrong, and equally the upper bound.
    """
    matches = group.comparable("numerics")
    if not matches:
        return _not_compared(label, group, "numerics")
    found = [first_steps(label, matches, margins.first_steps)]
    for metric in training_numbers.METRICS:
        found += training_numbers.number_results(
            label, matches, metric, margin=margins.numerics, equal=margins.first_steps, level=level
        )
    found = [*_not_compared(label, group, "numerics"), *found]
    if matches[0].current.spec["device"] == "cpu":
        return found
    return [
        dataclasses.replace(one, verdict=Verdict.NOT_COMPARED, reason=_NOT_REPEATABLE)
        if one.baseline is not None and one.current is not None
        else one
        for one in found
    ]


def _seeds(label: str, group: SeedGroup, margins: Margins, level: float) -> Sequence[CheckResult]:
    matches = group.comparable("numerics")
    if not matches:
        return []
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
    found: list[CheckResult | UngatedMetric] = [*_not_compared(label, group, "time")]
    if matches := group.comparable("time"):
        least = margins.least_wire_seconds_per_step
        ratio = communication.over_wire(label, matches, margin=margins.communication, least_seconds_per_step=least)
        found += [*([ratio] if ratio else []), *communication.ungated_seconds(label, matches)]
    return found


def _not_compared(label: str, group: SeedGroup, kind: Kind) -> list[CheckResult]:
    """Return one NOT_COMPARED result per distinct reason why metrics of ``kind``, such as times, cannot be compared.

    A reason names the seeds to which it applies, unless it applies to all seeds in ``group.matches``. The list is empty
    if the metrics can be compared for all seeds.
    """
    found = {match.seed: differences for match in group.matches if (differences := match.differences(kind))}
    reasons = {}
    for seed, differences in found.items():
        whose = "machine" if any(text.startswith(("cpu:", "gpus:")) for text in differences) else "setting"
        reasons[seed] = f"the baseline is from another {whose}: {'; '.join(differences)}"
    return [
        CheckResult(cell=label, metric=_KIND_NAMES[kind], verdict=Verdict.NOT_COMPARED, reason=reason)
        for reason in _by_seeds(reasons, all_of=len(group.matches))
    ]


def _by_seeds(reasons: dict[int, str], all_of: int = 0) -> list[str]:
    """Return one text per distinct reason: the seeds that have the reason, then the reason, as in ``seeds 1, 2: …``.

    Args:
        reasons: The reason of each seed.
        all_of: The number of all seeds. If all seeds have the same reason, the text names no seeds. If ``all_of`` is 0,
            every text names its seeds.
    """
    seeds_of: dict[str, list[int]] = {}
    for seed, reason in reasons.items():
        seeds_of.setdefault(reason, []).append(seed)
    return [reason if len(of) == all_of else f"{_seed_names(of)}: {reason}" for reason, of in seeds_of.items()]


def _seed_names(of: Sequence[int]) -> str:
    return f"seed{'s' if len(of) > 1 else ''} {', '.join(map(str, of))}"


def _first_line(cell: CellResult) -> str:
    return (cell.error or cell.status).partition("\n")[0]
