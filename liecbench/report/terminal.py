"""The tables that ``liecbench run`` and ``liecbench compare`` print on a terminal."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from liecbench.report.column_lines import table_lines, table_width
from liecbench.report.summary_table import summary_lines
from liecbench.report.table_texts import best_cells, caption, field_heading, marked_field_text, shared_text
from liecbench.results.answer_remarks import remark_lines
from liecbench.results.bandwidth_needed import BandwidthTable
from liecbench.results.comparison import Comparison
from liecbench.results.metric_row import Metric
from liecbench.results.metrics import METRICS
from liecbench.untrusted.plain_text import shortened


def render(comparison: Comparison) -> "TerminalTable":
    """Return tables for Rich to print without cropping their lines.

    By default the tables show the most important metrics, and fit a terminal with 80 columns. If ``comparison.wide``,
    or if metrics were requested, the tables have a column per metric, and lines as long as needed.
    """
    return TerminalTable(comparison=comparison)


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalTable:
    """Tables for Rich to print, with the verdict, errors and warnings below them."""

    comparison: Comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        comparison = self.comparison
        if comparison.wide or comparison.requested_metrics:
            yield from _all_metrics(comparison, console)
        else:
            yield from _what_decides(comparison, console, options)
        if not comparison.wide:
            # A line break within the command would be copied with it.
            yield Text(_wide_hint(comparison), style="dim", no_wrap=True, overflow="ignore")
        yield from (Text(shortened(error), style="red") for error in comparison.errors)
        yield from (Text(warning, style="yellow") for warning in comparison.merged_warnings)


def _wide_hint(comparison: Comparison) -> str:
    directories = map(str, comparison.directories or ("RESULTS",))
    command = shlex.join(["liecbench", "compare", *directories, *comparison.options, "--wide"])
    return f"{command}: all metrics, and the whole verdict"


def _what_decides(
    comparison: Comparison, console: Console, options: ConsoleOptions
) -> Iterator[RenderableType | Segment]:
    yield from summary_lines(comparison, console, options)
    yield Text(shared_text(comparison), style="dim")
    answers, by = comparison.answers, comparison.by
    yield from (Text(answer.line, style="bold") for answer in answers if by != "algorithm")
    remarks = remark_lines(answers, comparison.words)
    yield from map(Text, (*remarks, *comparison.speed_notes, *comparison.lines_beside_answers))
    bandwidth = comparison.bandwidth_table()
    if bandwidth is not None and (
        bandwidth.sentence is not None or table_width(_bandwidth_columns(bandwidth)) <= options.max_width
    ):
        yield from _bandwidth(bandwidth, console)


def _all_metrics(comparison: Comparison, console: Console) -> Iterator[RenderableType | Segment]:
    yield from table_lines(_columns(comparison), console, METRICS)
    yield Text(caption(comparison), style="dim")
    yield from (Text(line, style="bold") for line in (*comparison.verdict, *comparison.speed_notes))
    if (bandwidth := comparison.bandwidth_table()) is not None:
        yield from _bandwidth(bandwidth, console)


def _bandwidth(found: BandwidthTable, console: Console) -> Iterator[RenderableType | Segment]:
    """Yield the table of the bandwidths that methods need, or the sentence that ``found`` has in its place."""
    if found.sentence is not None:
        yield Text(f"\n{found.sentence}")
        return
    yield Text(f"\n{found.title}", style="bold")
    yield from table_lines(_bandwidth_columns(found), console, found.headings[1:])
    yield from (Text(note, style="dim") for note in found.notes)


def _bandwidth_columns(found: BandwidthTable) -> Mapping[str, list[Text]]:
    columns = zip(found.headings, *found.lines, strict=True)
    return {heading: [Text(text) for text in (heading, *texts)] for heading, *texts in columns}


def _columns(comparison: Comparison) -> Mapping[str, list[Text]]:
    """Return the table's columns by name, such as ``algorithm`` or ``speedup``.

    A column is a list of texts: its heading, and then one text per row. Fields come first, then metrics. If any cell
    failed or is unfinished, the last column is ``state``.
    """
    rows = comparison.rows
    columns = {
        name: [Text(field_heading(name)), *(Text(marked_field_text(comparison, row, name)) for row in rows)]
        for name in comparison.fields
    }
    for metric in comparison.columns():
        columns[metric.name] = [Text(metric.heading), *_metric_texts(comparison, metric)]
    if any(row.state for row in rows):
        columns["state"] = [Text("state"), *(Text(row.state, style="red") for row in rows)]
    return columns


def _metric_texts(comparison: Comparison, metric: Metric) -> Iterator[Text]:
    best = best_cells(comparison.rows, metric)
    for row in comparison.rows:
        yield Text(metric.text(row.metrics[metric.name]), style="bold" if id(row) in best else "")
