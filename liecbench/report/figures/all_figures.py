"""The list of all figures that ``liecbench report`` draws."""

from liecbench.report.figures.bytes_figures import accuracy_against_bytes, bytes_by_rank, loss_against_bytes
from liecbench.report.figures.curves import energy_figure, epoch_figures
from liecbench.report.figures.drawn_rows import drawn_rows
from liecbench.report.figures.figure import Figure
from liecbench.report.figures.scaling import speedup_by_rate, time_by_rate, time_by_workers
from liecbench.report.figures.time_bars import time_by_link, time_by_method
from liecbench.results.comparison import Comparison


def all_figures(comparison: Comparison) -> list[Figure]:
    """Return every figure for which the comparison has data, in the order in which a report shows the figures."""
    labels = comparison.labels
    rows, added = drawn_rows(comparison.rows, labels), drawn_rows(comparison.added_rows, labels)
    figures = [
        *epoch_figures(rows, labels),
        energy_figure(rows, labels),
        time_by_method(rows, labels),
        time_by_link(rows, labels),
        time_by_rate(rows, labels),
        time_by_workers(rows, labels),
        accuracy_against_bytes(rows, labels),
        loss_against_bytes(rows, labels),
        speedup_by_rate([*rows, *added], labels),
        bytes_by_rank(rows, labels),
    ]
    return [figure for figure in figures if figure.series]
