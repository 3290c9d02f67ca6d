"""The table that ``liecbench run`` and ``liecbench compare`` print on a terminal."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from liecbench.report.table_texts import caption, field_heading, starred_field_text
from liecbench.results.bandwidth_needed import BandwidthTable
from liecbench.results.comparison import Comparison
from liecbench.results.metric_row import Metric
from liecbench.results.metrics import METRICS
from liecbench.untrusted.plain_text import shortened

# Rich's tables take a millisecond per row.
_MOST_TABLE_ROWS: Final = 500


def render(comparison: Comparison) -> "TerminalTable":
    """Return a table for Rich to print, without cropping its lines if ``comparison.wide``.

    On a narrow terminal it hides some metrics, and names them below the table, unless ``comparison.wide``.
    """
    return TerminalTable(comparison=comparison)


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalTable:
    """A table for Rich to print, with each metric's best value in bold; below it are the verdict, errors and warnings.

    If the rows are grouped by a field other than the algorithm, a line separates the groups.
    """

    comparison: Comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        comparison = self.comparison
        columns = _columns(comparison)
        hidden = [] if comparison.wide else _hidden(columns, options.max_width)
        shown = {name: texts for name, texts in columns.items() if name not in hidden}
        width = max(options.max_width, _width(list(shown.values()))) if comparison.wide else options.max_width
        is_long = len(comparison.rows) > _MOST_TABLE_ROWS and comparison.by == "algorithm"
        if is_long and _width(list(shown.values())) <= width:
            yield from _lines(shown, console)
        else:
            yield from console.render(_table(comparison, shown), options.update(max_width=width))
        yield Text(caption(comparison), style="dim")
        yield from (Text(line, style="bold") for line in comparison.verdict)
        if (bandwidth := comparison.bandwidth_table()) is not None:
            yield from _bandwidth(bandwidth, console)
        yield from (Text(shortened(error), style="red") for error in comparison.errors)
        yield from (Text(warning, style="yellow") for warning in comparison.warnings)
        if hidden:
            headings = ", ".join(METRICS[name].heading for name in hidden)
            yield Text(f"hidden because the terminal is too narrow: {headings}", style="dim")


def _table(comparison: Comparison, columns: dict[str, list[Text]]) -> Table:
    table = _empty_table()
    for name, texts in columns.items():
        is_metric = name in METRICS
        table.add_column(texts[0], justify="right" if is_metric else "left", overflow="fold", no_wrap=is_metric)
    by, rows = comparison.by, comparison.rows
    for index, (row, following) in enumerate(zip_longest(rows, rows[1:]), start=1):
        ends_group = following is not None and following.fields.get(by) != row.fields.get(by)
        table.add_row(*(texts[index] for texts in columns.values()), end_section=ends_group and by != "algorithm")
    return table


def _bandwidth(found: BandwidthTable, console: Console) -> Iterator[RenderableType | Segment]:
    """Yield the table of the bandwidth that methods need, with its title and its notes."""
    yield Text(f"\n{found.title}", style="bold")
    method, *others = found.headings
    if len(found.lines) > _MOST_TABLE_ROWS:
        texts = [[Text(text) for text in column] for column in zip(found.headings, *found.lines, strict=True)]
        yield from _lines(dict(zip(found.headings, texts, strict=True)), console, others)
    else:
        table = _empty_table()
        table.add_column(Text(method), no_wrap=True, overflow="fold")
        for heading in others:
            table.add_column(Text(heading), justify="right")
        for line in found.lines:
            table.add_row(*map(Text, line))
        yield table
    yield from (Text(note, style="dim") for note in found.notes)


def _empty_table() -> Table:
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))


def _lines(columns: dict[str, list[Text]], console: Console, right: Collection[str] = METRICS) -> Iterator[Segment]:
    """Yield the lines of a table, much faster than Rich; every text must fit in its column without being folded.

    Args:
        columns: The heading and the texts of each column, by its name.
        console: The console, which knows the styles.
        right: The names of the columns to align on the right.
    """
    widths = [max(text.cell_len for text in texts) for texts in columns.values()]
    for index, texts in enumerate(zip(*columns.values(), strict=True)):
        plain = ""
        for place, (name, text, width) in enumerate(zip(columns, texts, widths, strict=True)):
            padding = " " * (width - text.cell_len)
            before, after = (padding, "") if name in right else ("", padding)
            plain += f"{'  ' if place else ''}{before}"
            if text.style:
                yield Segment(plain)
                yield Segment(text.plain, console.get_style(text.style))
                plain = after
            else:
                plain += text.plain + after
        yield Segment(plain, console.get_style("bold") if index == 0 else None)
        yield Segment.line()
        if index == 0:
            yield Segment("─" * (sum(widths) + 2 * len(widths) - 2))
            yield Segment.line()


def _columns(comparison: Comparison) -> dict[str, list[Text]]:
    """Return one list of texts per column: the heading, then one text per row; the key names the field or metric."""
    rows = comparison.rows
    columns = {
        name: [Text(field_heading(name)), *(Text(starred_field_text(row, name)) for row in rows)]
        for name in comparison.fields
    }
    for metric in comparison.columns():
        columns[metric.name] = [Text(metric.heading), *_metric_texts(comparison, metric)]
    if any(row.state for row in rows):
        columns["state"] = [Text("state"), *(Text(row.state, style="red") for row in rows)]
    return columns


def _metric_texts(comparison: Comparison, metric: Metric) -> Iterator[Text]:
    values = [row.metrics[metric.name] for row in comparison.rows]
    best = metric.best(values)
    for value in values:
        yield Text(metric.text(value), style="bold green" if value is not None and value.mean == best else "")


def _hidden(columns: dict[str, list[Text]], width: int) -> list[str]:
    """Return the metrics to hide so that the remaining columns fit in ``width`` characters.

    If hiding does not suffice, return every metric that may be hidden.
    """
    order = {name: METRICS[name].hide_first for name in columns if name in METRICS}
    candidates = sorted((place, name) for name, place in order.items() if place is not None)
    hidden: list[str] = []
    for _, name in candidates:
        if _width([texts for other, texts in columns.items() if other not in hidden]) <= width:
            break
        hidden.append(name)
    return hidden


def _width(columns: Sequence[list[Text]]) -> int:
    return sum(max(text.cell_len for text in texts) + 2 for texts in columns) - 2
