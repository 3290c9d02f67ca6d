"""The comparison of algorithms that every format renders."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from liecbench.results.break_even import BreakEven, break_evens
from liecbench.results.cells import CellResult
from liecbench.results.fields import varying_fields
from liecbench.results.metric_row import Metric
from liecbench.results.metrics import METRICS, check_names
from liecbench.results.row_labels import Labels
from liecbench.results.rows import Row, grouped, summarise
from liecbench.results.summary import verdict_lines
from liecbench.results.tuning import at_best


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Rows and everything that a format says of them.

    Args:
        rows: The rows, those with equal values of the field ``by`` next to each other.
        baseline: The algorithm that the others are compared with.
        target_accuracy: The accuracy of the metrics named ``…_to_target``, a fraction.
        by: The field that rows are grouped by.
        fields: The fields that are columns: the algorithm, ``by``, and those that differ between rows.
        shared_fields: The other fields, which all rows that have them share.
        settings: By name of the setting its rows, fastest first.
        requested_metrics: The metrics of ``--metric``; empty for the usual ones.
        break_evens: Each method's break-even bandwidth.
        verdict: The answer in words, one sentence per line.
        errors: The first line of every error, after the algorithm's name.
        warnings: Every warning, after the algorithm's name.
        labels: The names of methods and settings.
        directories: The results directories.
    """

    rows: tuple[Row, ...]
    baseline: str
    target_accuracy: float | None
    by: str
    fields: tuple[str, ...]
    shared_fields: Mapping[str, Any]
    settings: Mapping[str, tuple[Row, ...]]
    requested_metrics: tuple[str, ...]
    break_evens: tuple[BreakEven, ...]
    verdict: tuple[str, ...]
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    labels: Labels
    directories: tuple[Path, ...]

    @classmethod
    def of_rows(
        cls,
        rows: Sequence[Row],
        *,
        baseline: str,
        target_accuracy: float | None = None,
        by: str = "algorithm",
        metrics: Sequence[str] = (),
        tuned_field: str | None = None,
        directories: Sequence[Path] = (),
    ) -> "Comparison":
        """Return the comparison of rows that ``summarise`` returned for this baseline and target.

        Args:
            rows: The rows.
            baseline: The algorithm that the others are compared with.
            target_accuracy: A fraction, or None.
            by: The field to group rows by.
            metrics: The metrics to show; empty for the usual ones.
            tuned_field: The field of which each method has its best value.
            directories: The results directories.

        Raises:
            LiecbenchError: If no row has the field ``by``, or a metric does not exist.
        """
        check_names(metrics)
        labels = Labels(rows)
        settings: dict[str, list[Row]] = {}
        for row in rows:
            settings.setdefault(labels.setting(row), []).append(row)
        found = break_evens(rows, baseline)
        notes = [f"each method at its best {tuned_field}, by the accuracy at the end"] if tuned_field else []
        verdict = verdict_lines(settings, found, labels, baseline=baseline, target_accuracy=target_accuracy)
        ordered = grouped(rows, by) if rows else []
        fields = list(dict.fromkeys(["algorithm", by, *varying_fields([row.fields for row in ordered])]))
        return cls(
            rows=tuple(ordered),
            baseline=baseline,
            target_accuracy=target_accuracy,
            by=by,
            fields=tuple(fields),
            shared_fields=_shared_fields(ordered, fields),
            settings={name: tuple(group) for name, group in settings.items()},
            requested_metrics=tuple(metrics),
            break_evens=tuple(found),
            verdict=(*notes, *verdict),
            errors=_once(f"{row.algorithm}: {error}".partition("\n")[0] for row in ordered for error in row.errors),
            warnings=_once(f"{row.algorithm}: {text}" for row in ordered for text in row.warnings),
            labels=labels,
            directories=tuple(directories),
        )

    def columns(self, *, page: bool = False) -> tuple[Metric, ...]:
        """Return the metrics that are columns: those asked for or the usual ones, if a row has them.

        Args:
            page: True for the HTML page, which has room for more.
        """
        shown: set[Literal["table", "page", "on request"]] = {"table", "page"} if page else {"table"}
        names = self.requested_metrics or [m.name for m in METRICS.values() if m.shown in shown]
        return tuple(METRICS[name] for name in names if any(row.metrics[name] is not None for row in self.rows))


def compare(
    cells: Sequence[CellResult],
    *,
    baseline: str,
    target_accuracy: float | None = None,
    by: str = "algorithm",
    metrics: Sequence[str] = (),
    tuned_field: str | None = None,
    directories: Sequence[Path] = (),
) -> Comparison:
    """Return the comparison of cells; the arguments are those of ``Comparison.of_rows``."""
    if tuned_field is not None:
        cells = at_best(cells, tuned_field)
    return Comparison.of_rows(
        summarise(cells, baseline=baseline, target_accuracy=target_accuracy),
        baseline=baseline,
        target_accuracy=target_accuracy,
        by=by,
        metrics=metrics,
        tuned_field=tuned_field,
        directories=directories,
    )


def _shared_fields(rows: Sequence[Row], columns: Sequence[str]) -> dict[str, Any]:
    return {
        name: value for row in rows for name, value in row.fields.items() if name not in columns and value is not None
    }


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
