"""Join cells that differ only in the seed into rows, each with its metrics and its speed-up over the baseline."""

from collections.abc import Mapping, Sequence
from typing import Any

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.config.cell_fields import flat_fields
from liecbench.results.accuracy_verdict import LOSS_RESOLUTION, accuracy_resolution
from liecbench.results.cell_groups import (
    DENSE,
    CellGroup,
    alike_cells,
    by_task,
    comparable_key,
    fastest_group,
    nearest_baseline,
    task_key,
    with_common_work,
)
from liecbench.results.cell_metrics import compare_metrics, comparing_metrics, derive_metrics
from liecbench.results.cells import CellResult
from liecbench.results.comparison_settings import DEFAULT_BASELINE
from liecbench.results.completed_cell import CompletedCell
from liecbench.results.link_warnings import link_deviations
from liecbench.results.metric_row import Metric
from liecbench.results.metrics import METRICS
from liecbench.results.ratio_interval import LogRatio
from liecbench.results.row_order import in_order
from liecbench.results.rows import Row
from liecbench.results.statistics import Estimate
from liecbench.results.task_differences import task_differences
from liecbench.results.warnings import cell_warnings, emulator_warnings, precision_warnings, samples_warnings


def summarise(
    cells: Sequence[CellResult],
    *,
    baseline: str | BaselineChoice = DEFAULT_BASELINE,
    target_accuracy: float | None = None,
    target_loss: float | None = None,
) -> list[Row]:
    """Return one row per group of cells that differ only in the seed.

    Args:
        cells: Cells of one or more results directories.
        baseline: The baseline's algorithm, such as ``ddp``, or a choice that also fixes other fields. For example, the
            choice ``BaselineChoice.parse({"algorithm": "ddp", "workers": 2})`` compares rows of any number of workers
            with DDP on 2 workers. Fields of the setting and workload that the choice does not fix must be equal.
        target_accuracy: The accuracy, from 0 to 1, that the metrics named ``…_to_target`` refer to; None without a
            target.
        target_loss: The test loss that the metrics named ``…_to_target`` refer to; None without a target. If both
            targets are given, ``target_loss`` applies to language models, and ``target_accuracy`` to all others.

    Returns:
        The rows in the order of ``in_order``.
    """
    choice = BaselineChoice.parse(baseline)
    completed = [cell for cell in cells if cell.status == "completed"]
    derived = derive_metrics(
        CompletedCell.of(
            cell.epochs,
            target_accuracy,
            target_loss,
            long_run=cell.long_run,
            is_language_model=cell.is_language_model,
        )
        for cell in completed
    )
    metrics = dict(zip(map(id, completed), derived, strict=True))
    groups = with_common_work([CellGroup.of(alike, choice, metrics) for alike in alike_cells(cells)], choice)
    baselines: dict[bytes, list[CellGroup]] = {}
    dense: dict[bytes, list[CellGroup]] = {}
    for group in groups:
        if group.is_baseline:
            baselines.setdefault(comparable_key(group.cells[0], choice), []).append(group)
        if group.algorithm in DENSE and group.pace.by_seed:
            dense.setdefault(comparable_key(group.cells[0]), []).append(group)
    has_target = target_accuracy is not None or target_loss is not None
    rivals = {setting: fastest_group(found) for setting, found in dense.items()}
    same_task = {setting: by_task(found) for setting, found in baselines.items()}
    rows = []
    for group in groups:
        setting = comparable_key(group.cells[0], choice)
        base = same_task.get(setting, {}).get(task_key(group)) or nearest_baseline(group, baselines.get(setting, []))
        rows.append(_row(group, base, rivals.get(comparable_key(group.cells[0])), has_target=has_target))
    return in_order(rows)


def _row_fields(group: list[CellResult]) -> dict[str, Any]:
    cell = group[0]
    fields = {name: value for name, value in flat_fields(cell.spec).items() if name != "seed"}
    epochs = [epoch for cell in group for epoch in cell.epochs]
    if fields["timing"] == "composed" and epochs and not any(epoch.composed for epoch in epochs):
        fields["timing"] = "trained"
    return fields if cell.directory is None else {**fields, "results": cell.directory}


def _row(group: CellGroup, baseline: CellGroup | None, dense: CellGroup | None, *, has_target: bool) -> Row:
    baseline_per_seed = {} if baseline is None else baseline.per_seed
    # One ratio for all seeds: only some of them may have been recorded with their samples.
    samples = 1.0 if baseline is None else group.pace.samples_over(baseline.pace)
    compared = comparing_metrics()
    per_seed = {
        seed: own | compare_metrics(own, base, samples, compared) if (base := baseline_per_seed.get(seed)) else own
        for seed, own in group.per_seed.items()
    }
    speed = None if baseline is None else group.pace.speed_over(baseline.pace)
    dense_speed = None
    if dense is not None and dense is not group and dense is not baseline:
        dense_speed = group.pace.speed_over(dense.pace)
    completed = list(per_seed.values())
    known = set[str]().union(*completed)
    num_reached = sum("seconds_to_target" in metrics for metrics in completed)
    metrics = {
        metric.name: _mean(metric, completed, num_cells=len(group.cells)) if metric.name in known else None
        for metric in METRICS.values()
    }
    metrics |= {} if baseline is group else _differences(group, completed)
    metrics["speedup"] = None if speed is None else Estimate.exactly(1.0) if baseline is group else speed.estimate()
    metrics["speedup_over_dense"] = None if dense_speed is None else dense_speed.estimate()
    metrics["seconds_per_epoch"] = _with_rounds(metrics["seconds_per_epoch"], group.pace.log_seconds)
    inverse = None if group.pace.log_seconds is None else group.pace.log_seconds.inverse
    metrics["tokens_per_second"] = _with_rounds(metrics["tokens_per_second"], inverse)
    metrics["compute_utilization"] = _with_rounds(metrics["compute_utilization"], group.pace.log_utilization)
    return Row(
        fields=_row_fields(group.cells),
        cells=tuple(group.cells),
        per_seed=per_seed,
        baseline_per_seed=baseline_per_seed,
        is_baseline=group.is_baseline,
        is_dense=group is dense,
        pace=group.pace,
        speed=None if baseline is group else speed,
        dense_speed=dense_speed,
        cpu_share_differs=baseline is not None and group.pace.disturbed_differently(baseline.pace),
        reached=f"{num_reached}/{len(group.cells)}" if has_target else None,
        metrics=metrics,
        task_differences=task_differences(group.cells[0].spec, baseline.cells[0].spec) if baseline else {},
        errors=[f"{cell.status}: {cell.error}" for cell in group.cells if cell.error],
        link_deviations=link_deviations(group.cells),
        other_warnings=[
            *_pairing_warnings(group, baseline),
            *_session_warnings(group, baseline),
            *samples_warnings(
                group.pace, None if baseline is None else baseline.pace, is_trained=group.cells[0].is_trained
            ),
            *cell_warnings(group.cells),
            *emulator_warnings(group.cells, [] if baseline is None else baseline.cells),
            *precision_warnings(group.cells, None if baseline is group else metrics["speedup"]),
        ],
    )


def _with_rounds(mean: Estimate | None, of_rounds: LogRatio | None) -> Estimate | None:
    """Return a metric's mean over seeds, with a confidence interval from the rounds of timing sessions.

    For example, the bounds are 196 and 204 if ``mean`` is 200, and the interval of ``of_rounds`` is ±2 %. A bound is
    None if ``of_rounds`` has no such bound. If an argument is None, return ``mean`` unchanged.

    Args:
        mean: The metric's mean over seeds; None if the metric is unknown. The interval of ``mean`` is replaced.
        of_rounds: The mean of ln(metric) over rounds, with its standard error; None if this mean is unknown. Only the
            relative width of its interval is used, so ln(1 ÷ seconds) serves for tokens per second.
    """
    if mean is None or of_rounds is None:
        return mean
    rounds = of_rounds.estimate()
    low = None if rounds.low is None else mean.mean * rounds.low / rounds.mean
    high = None if rounds.high is None else mean.mean * rounds.high / rounds.mean
    return Estimate(mean=mean.mean, low=low, high=high)


def _differences(group: CellGroup, completed: Sequence[Mapping[str, float]]) -> dict[str, Estimate]:
    """Return the means over seeds of ``accuracy_difference`` and ``loss_difference``, with confidence intervals.

    Both metrics are differences from the baseline. A metric that is unknown for all completed cells is left out.

    Args:
        group: The cells of a row.
        completed: For each completed cell, the known values by the metric's name.
    """
    # Seeds can agree by chance, so that the standard deviation is taken as at least the smallest possible difference.
    resolutions = {"accuracy_difference": accuracy_resolution(group.cells), "loss_difference": LOSS_RESOLUTION}
    values = {name: [found[name] for found in completed if name in found] for name in resolutions}
    return {name: Estimate.of(known, resolution=resolutions[name]) for name, known in values.items() if known}


def _mean(metric: Metric, completed: Sequence[Mapping[str, float]], *, num_cells: int) -> Estimate | None:
    """Return the mean of a metric over the completed cells of a row that have a value; None if too few have one.

    - A metric with ``every_seed`` needs a value of every cell of the row. A cell that did not complete has none.
    - Any other metric with ``compare`` needs a value of at least one completed cell.
    - All other metrics need a value of every completed cell, and at least one completed cell.

    Args:
        metric: The metric.
        completed: For each completed cell, the known values by the metric's name.
        num_cells: The number of the row's cells, completed or not.
    """
    known = [metrics[metric.name] for metrics in completed if metric.name in metrics]
    # A cell that did not complete has not reached the target accuracy either.
    num_expected = num_cells if metric.every_seed else len(known) if metric.compare else len(completed)
    return Estimate.of(known) if known and len(known) == num_expected else None


def _pairing_warnings(group: CellGroup, baseline: CellGroup | None) -> list[str]:
    seeds = group.per_seed
    num_paired = 0 if baseline is None else sum(seed in baseline.per_seed for seed in seeds)
    if baseline is None or num_paired == len(seeds):
        return []
    return [f"compared with the baseline by {num_paired} of its {len(seeds)} seeds: the baseline has no others"]


def _session_warnings(group: CellGroup, baseline: CellGroup | None) -> list[str]:
    if baseline is None or not group.pace.timed_apart_from(baseline.pace):
        return []
    return ["timed in no round together with the baseline: its speed-up contains what changed between their sessions"]
