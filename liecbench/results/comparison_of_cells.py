"""Make a comparison from the cells of results directories, or from rows that summarise cells."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.results.break_even import break_evens
from liecbench.results.cell_groups import SETTING_FIELDS, WORKLOAD_FIELDS
from liecbench.results.cells import CellResult
from liecbench.results.comparison import Comparison
from liecbench.results.fields import varying_fields
from liecbench.results.measured_bandwidth import measured_bandwidth
from liecbench.results.merged_warnings import merged_deviations, merged_warnings
from liecbench.results.metrics import check_names
from liecbench.results.recommendation_words import more_rounds
from liecbench.results.row_labels import Labels, naming_fields
from liecbench.results.rows import Row, grouped
from liecbench.results.rows_of_cells import summarise
from liecbench.results.setting_verdict import SettingVerdict
from liecbench.results.tolerances import DEFAULT_TOLERANCES, Tolerances
from liecbench.results.tuning import at_best, tuning_note
from liecbench.results.verdict_words import Words
from liecbench.results.warnings import precision_warnings


def compare(
    cells: Sequence[CellResult],
    *,
    baseline: str | BaselineChoice,
    target_accuracy: float | None = None,
    target_loss: float | None = None,
    tolerances: Tolerances = DEFAULT_TOLERANCES,
    by: str = "algorithm",
    metrics: Sequence[str] = (),
    wide: bool = False,
    tuned_field: str | None = None,
    directories: Sequence[Path] = (),
    only: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Comparison:
    """Return the comparison of ``cells``, which are first summarised in rows.

    Args:
        cells: The cells.
        baseline: See ``compare_rows``, which also describes all arguments that are not listed here.
        tuned_field: The name of a field, such as ``learning_rate``. Each method is compared at its best value of the
            field, as ``at_best`` chooses it. If there are several seeds, some seeds choose the value, and only the
            cells of the other seeds are compared. None: compare all cells.
    """
    if tuned_field is not None:
        notes = [tuning_note(cells, tuned_field), *notes]
        cells = at_best(cells, tuned_field)
    return compare_rows(
        summarise(cells, baseline=baseline, target_accuracy=target_accuracy, target_loss=target_loss),
        baseline=baseline,
        target_accuracy=target_accuracy,
        target_loss=target_loss,
        tolerances=tolerances,
        by=by,
        metrics=metrics,
        wide=wide,
        notes=notes,
        directories=directories,
        only=only,
    )


def compare_rows(
    rows: Sequence[Row],
    *,
    baseline: str | BaselineChoice,
    target_accuracy: float | None = None,
    target_loss: float | None = None,
    tolerances: Tolerances = DEFAULT_TOLERANCES,
    by: str = "algorithm",
    metrics: Sequence[str] = (),
    wide: bool = False,
    notes: Sequence[str] = (),
    directories: Sequence[Path] = (),
    only: Sequence[str] = (),
) -> Comparison:
    """Return the comparison of ``rows`` with the baseline.

    Args:
        rows: The rows that ``summarise`` returned for this ``baseline``, ``target_accuracy`` and ``target_loss``. Some
            rows may have a link rate that a run added to find break-evens more precisely (``is_added`` is True). These
            rows are used only for the break-evens and the bandwidth needed. The result keeps them in ``added_rows``.
        baseline: The name of the algorithm whose rows are the baseline, or a choice that also fixes other fields.
        target_accuracy: An accuracy from 0 to 1, or None for no target.
        target_loss: A test loss, or None for no target.
        tolerances: The largest differences of accuracy and test loss that count as equal.
        by: The name of the field to group rows by.
        metrics: The names of the metrics to show as columns; empty for the default ones.
        wide: True to show more metrics, and the bandwidth needed even if it is only estimated.
        notes: Sentences that come before the verdict, such as how ``--best`` chose the rows.
        directories: The results directories that the cells come from.
        only: The conditions of ``--only`` with which the cells were run. Commands that continue the run repeat them.

    Raises:
        LiecbenchError: If no row has the field ``by``, or a metric does not exist.
    """
    check_names(metrics)
    found, every_row = break_evens(rows), rows
    added, rows = [row for row in rows if row.is_added], [row for row in rows if not row.is_added]
    labels = Labels(rows)
    settings: dict[str, list[Row]] = {}
    for row in rows:
        settings.setdefault(labels.setting(row), []).append(row)
    choice = BaselineChoice.parse(baseline)
    words = Words(
        labels=labels,
        baseline=_without_shared_fields(choice, rows).text,
        tolerances=tolerances,
        target_accuracy=target_accuracy,
        target_loss=target_loss,
        directories=tuple(directories),
        only=tuple(only),
    )
    verdicts = [SettingVerdict.of(setting, group, tolerances) for setting, group in settings.items()]
    ordered = grouped(rows, by) if rows else []
    imprecise = [
        row for row in ordered if precision_warnings(row.cells, None if row.is_baseline else row.metrics["speedup"])
    ]
    varying = varying_fields([row.fields for row in ordered])
    fields = list(dict.fromkeys(["algorithm", by, *varying, *naming_fields(ordered)]))
    return Comparison(
        rows=tuple(ordered),
        added_rows=tuple(added),
        baseline_choice=choice,
        target_accuracy=target_accuracy,
        target_loss=target_loss,
        by=by,
        fields=tuple(fields),
        shared_fields=_shared_fields(ordered, fields),
        settings={name: tuple(group) for name, group in settings.items()},
        requested_metrics=tuple(metrics),
        wide=wide,
        break_evens=tuple(found),
        bandwidth_needed=tuple(measured_bandwidth(every_row, labels)),
        setting_verdicts=tuple(verdicts),
        words=words,
        notes=tuple(notes),
        errors=_once(
            f"{row.algorithm}: {error}".partition("\n")[0]
            for row in (*ordered, *(row for one in found for row in one.untimed))
            for error in row.errors
        ),
        warnings=_once(f"{row.algorithm}: {text}" for row in ordered for text in row.warnings),
        merged_warnings=(
            *merged_deviations([found for row in ordered for found in row.link_deviations]),
            *merged_warnings(_once(f"{row.algorithm}: {text}" for row in ordered for text in row.other_warnings)),
            *([more_rounds(imprecise, words)] if imprecise else []),
        ),
        labels=labels,
        directories=tuple(directories),
    )


def _without_shared_fields(choice: BaselineChoice, rows: Sequence[Row]) -> BaselineChoice:
    """Return the choice without those fixed fields that do not tell the baseline apart from other rows.

    - All fields stay if no row has the baseline's algorithm.
    - A field that is switched on, such as ``per_tensor``, belongs to a method's name and always stays.
    - A field of settings or workloads is removed if all rows have its value.
    - Any other field is removed if all rows of the baseline's algorithm have its value.
    """
    own = [row for row in rows if row.algorithm == choice.algorithm]
    if not own:
        return choice
    across_methods = {*SETTING_FIELDS, *WORKLOAD_FIELDS}
    shared = [
        name
        for name, value in choice.fixed.items()
        if value is not True and all(choice.has(name, row.fields) for row in (rows if name in across_methods else own))
    ]
    return choice.without(shared)


def _shared_fields(rows: Sequence[Row], columns: Sequence[str]) -> dict[str, Any]:
    found = {
        name: value for row in rows for name, value in row.fields.items() if name not in columns and value is not None
    }
    # The order of blocks is no column, and yet differs between methods that take it and others.
    return {name: value for name, value in found.items() if all(row.fields.get(name) in (value, None) for row in rows)}


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
