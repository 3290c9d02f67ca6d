"""Results for Python: the numbers of ``liecbench compare --format json``, data frames, and the report's figures."""

import functools
import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from liecbench.errors import LiecbenchError, did_you_mean
from liecbench.report.json_rows import row_objects, verdict_objects
from liecbench.report.markdown import render as render_markdown
from liecbench.report.verdict_rows import break_even_objects
from liecbench.results.bandwidth_needed import bandwidth_objects
from liecbench.results.comparison import Comparison
from liecbench.results.epoch_rows import epoch_rows
from liecbench.results.metrics import METRICS
from liecbench.results.stored_comparison import load_comparison

if TYPE_CHECKING:
    from pandas import DataFrame
    from plotly.graph_objects import Figure

    from liecbench.report.figures.colours import Palette
    from liecbench.report.figures.figure import Figure as Drawing
    from liecbench.report.page_answers import SpeedChart

# The report's first chart, which is no figure of its sections.
_SPEED_UP: Final = "speedup"


class Results:
    """The measurements of runs: the comparison of their cells, and every epoch of every cell.

    A row joins the cells that differ only in the seed. Durations are in seconds, sizes in bytes, rates in bits per
    second, accuracies from 0 to 1.

    Args:
        comparison: The comparison of the cells.
    """

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison

    @property
    def directories(self) -> tuple[Path, ...]:
        """The results directories that the cells come from."""
        return self._comparison.directories

    @functools.cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One mapping per row of the comparison: the ``"rows"`` of ``liecbench compare --format json``.

        A mapping has the row's settings (such as ``algorithm``), counts of cells (such as ``failed``), metrics,
        verdicts, errors and warnings. A metric is a mapping with the keys ``mean``, ``low`` and ``high`` (95 %
        interval). An unknown metric is None.
        """
        return list(row_objects(self._comparison))

    @functools.cached_property
    def epochs(self) -> list[dict[str, Any]]:
        """One mapping per epoch of every cell: the cell's fields (such as the seed), and the losses, times and bytes.

        The keys are those of ``epoch`` records, with two differences. ``payload_bytes`` and ``wire_bytes`` are sent +
        received bytes, the mean over ranks. ``train_seconds_low`` and ``train_seconds_high`` are the ends of the 95 %
        interval over the rounds of a timing session. Unknown values are None.
        """
        return epoch_rows(cell for row in self._comparison.rows for cell in row.cells)

    @functools.cached_property
    def verdict(self) -> list[dict[str, Any]]:
        """The verdict on the methods in each setting, such as one link: one mapping per setting.

        The keys of a mapping are:

        - ``setting``: The setting's name; empty if there is only one setting.
        - ``fastest``: All timed methods except those that are shown to be slower than another method.
        - ``recommended``: The recommended method, or None.
        - ``why``: The reason why this method, or no method, is recommended. None if no method's speed could be compared
          with the baseline's.
        - ``text``: The verdict in sentences.
        """
        return verdict_objects(self._comparison)

    @functools.cached_property
    def break_even(self) -> list[dict[str, Any]]:
        """One mapping per break-even. A break-even is the link rate at which a method is as fast as the baseline.

        The keys of a mapping are:

        - ``method``: The method's name.
        - ``outcome``: Where the method is faster, such as ``below`` for rates below the break-even.
        - ``low_bits_per_second``: The highest rate that is shown to lie below the break-even, or None.
        - ``high_bits_per_second``: The lowest rate that is shown to lie above the break-even, or None.
        - ``added_bits_per_second``: The list of measured rates that no scenario contains. Runs chose these rates to
          find the break-even more precisely.
        - ``compute_seconds_per_step``: The compute seconds for which the break-even holds; None if unknown.
        - ``compute_source``: ``measured`` or ``replayed``; None if the compute seconds are unknown.
        - ``text``: The break-even as a sentence.
        """
        return break_even_objects(self._comparison)

    @functools.cached_property
    def bandwidth_needed(self) -> list[dict[str, Any]]:
        """The lowest link rates at which computing takes at least 50, 75, 90, 95 and 99 % of a step.

        There is one JSON object per method and setting. The list ``rates`` of an object has one item per percentage.
        The lowest sufficient rate lies between two bounds, the item's ``low_bits_per_second`` and
        ``high_bits_per_second``. An unknown bound is None. If both bounds are None, the item's ``basis`` says why:
        ``not_reached`` if no rate suffices, or ``unknown`` if the measured times do not suffice to compute the rate.
        All rates are those at which a worker sends.
        """
        return bandwidth_objects(self._comparison.bandwidth_needed)

    @property
    def notes(self) -> list[str]:
        """Sentences on the comparison as a whole, such as what an interrupted run did not finish."""
        return list(self._comparison.notes)

    def to_pandas(self) -> "DataFrame":
        """Return ``rows`` as a data frame; each metric has the columns ``NAME``, ``NAME_low`` and ``NAME_high``.

        Raises:
            LiecbenchError: If pandas is not installed.
        """
        return _frame([_without_nesting(row) for row in self.rows])

    def epochs_to_pandas(self) -> "DataFrame":
        """Return ``epochs`` as a data frame.

        Raises:
            LiecbenchError: If pandas is not installed.
        """
        return _frame(self.epochs)

    @property
    def figures(self) -> list[str]:
        """The names of the figures that ``plot`` can draw from these results."""
        return [*([_SPEED_UP] if self._speed_charts else []), *self._figures]

    def plot(self, figure: str) -> "Figure":
        """Return a figure of the report as a Plotly figure, which a notebook shows.

        If the figure has several settings, such as links, a menu above it selects the setting to show.

        Args:
            figure: A name from ``figures``, such as ``speedup``.

        Raises:
            LiecbenchError: If these results have no such figure.
        """
        from liecbench.api.plotly_figure import plotly_figure_of, plotly_speed_chart

        if figure not in self.figures:
            message = f"plot({figure!r}): these results have no such figure"
            raise LiecbenchError(message, did_you_mean(figure, self.figures))
        if figure == _SPEED_UP:
            return plotly_speed_chart(self._speed_charts, self._comparison.baseline)
        return plotly_figure_of(self._figures[figure], self._palette)

    @functools.cached_property
    def _palette(self) -> "Palette":
        from liecbench.report.figures.colours import Palette

        return Palette(self._comparison.labels.colour_keys, self._comparison.baseline)

    @functools.cached_property
    def _speed_charts(self) -> "list[SpeedChart]":
        from liecbench.report.page_answers import speed_charts

        return list(speed_charts(self._comparison, self._palette))

    @functools.cached_property
    def _figures(self) -> "dict[str, Drawing]":
        from liecbench.report.figures.all_figures import all_figures

        return {one.key: one for one in all_figures(self._comparison) if one.series}

    def __repr__(self) -> str:
        names = ", ".join(str(directory) for directory in self.directories)
        cells = sum(len(row.cells) for row in self._comparison.rows)
        return f"<Results of {names}: {len(self._comparison.rows)} rows of {cells} cells>"

    def _repr_markdown_(self) -> str:
        """Return the comparison as Markdown, which notebooks show as a table."""
        return render_markdown(self._comparison)


def load_results(
    results: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    baseline: str | None = None,
    best: str | None = None,
) -> Results:
    """Load one or more results directories, and compare their cells as ``liecbench compare`` does.

    The target, the tolerances and, if ``baseline`` is None, the baseline are those of the first directory's scenario.
    If another directory's scenario has a different target, tolerance or baseline, a warning says so.

    Args:
        results: A results directory, or several.
        baseline: The name of the algorithm that the others are compared with, such as ``ddp``. None for the baseline of
            the scenario.
        best: The name of a field that has several values, such as ``learning_rate``. For each method, only the cells
            with the value that is best for the method are compared. None to compare all cells.

    Raises:
        LiecbenchError: If a directory has no results, if its results are damaged, if no cell has the algorithm
            ``baseline``, or if no cell has the field ``best``.
        NothingToCompareError: If no cell has begun.
    """
    directories = [Path(results)] if isinstance(results, str | PathLike) else [Path(one) for one in results]
    if not directories:
        raise LiecbenchError("load_results: no results directory is given", "give at least one")
    comparison = load_comparison(directories, notify=_warn, baseline=baseline, tuned_field=best)
    return Results(comparison)


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=4)


def _without_nesting(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if name in METRICS:
            flat |= {column: None if value is None else value[key] for column, key in _columns(name)}
        else:
            flat[name] = value
    return flat


def _columns(metric: str) -> list[tuple[str, str]]:
    return [(metric, "mean"), (f"{metric}_low", "low"), (f"{metric}_high", "high")]


def _frame(rows: list[dict[str, Any]]) -> "DataFrame":
    try:
        import pandas as pd
    except ImportError as error:
        message = f"data frames need pandas, which cannot be imported ({error})"
        raise LiecbenchError(message, "pip install 'liecbench[pandas]'") from None
    return pd.DataFrame(rows)
