"""The table that terminals show by default: the answer for each setting, and each method's accuracy and speed-up."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.text import Text

from liecbench.report.column_lines import GAP, row_line, rule_line
from liecbench.report.table_texts import field_text, row_mark
from liecbench.results.comparison import Comparison
from liecbench.results.metric_row import Metric
from liecbench.results.metrics import METRICS
from liecbench.results.rows import Row
from liecbench.results.speed_words import speed_word

_VERDICT_STYLES: Final = {
    **dict.fromkeys(("faster", "kept"), "green"),
    **dict.fromkeys(("slower", "lost", "raised"), "red"),
    **dict.fromkeys(("not known", "not ranked", "likely lost", "likely raised"), "yellow"),
}
_EIGHTHS: Final = "▏▎▍▌▋▊▉█"
# In characters. A shorter name would break within words, a shorter bar says nothing, and a longer one adds nothing.
_LEAST_METHOD, _LEAST_BAR, _MOST_BAR = 13, 6, 30
# The columns that follow the method's; each metric's verdict stands behind it.
_DECIDING: Final = ("test_accuracy", "test_loss", "speedup", "seconds_per_epoch")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """The layout of a summary table.

    ``texts[id(row)]`` has the texts of a row by column name. ``widths`` has the width of each column by column name.
    ``longest_bar`` is the speed-up of the longest bar.
    """

    texts: Mapping[int, Mapping[str, Text]]
    widths: Mapping[str, int]
    longest_bar: float


def summary_lines(comparison: Comparison, console: Console, options: ConsoleOptions) -> Iterator[Segment | Text]:
    """Yield the lines of the summary table, whose rows are divided into groups with titles.

    If ``comparison.by`` is ``algorithm``, a group has the rows of one setting, such as one link. The title is the
    answer for the setting, such as ``On 20mbit: use liec, 5.50× (5.42 to 5.58) as fast as ddp``. Without an answer, the
    title is the setting's name, such as ``workers 4 · 20mbit``. An empty name is not shown.

    If ``comparison.by`` names another field, a group has the rows with one value of this field. The title is the
    field's name and value, such as ``workers 4``.

    Only the first group has column headings. A row takes several lines if the method's name is long, or if any of the
    row's cells (one per seed) failed or is unfinished.
    """
    groups = _groups(comparison)
    layout = _layout(comparison, [row for rows in groups.values() for row in rows], options.max_width)
    answers = {answer.setting: answer.line for answer in comparison.answers}
    for number, (title, rows) in enumerate(groups.items()):
        if number:
            yield Text()
        if heading := answers.get(title, title) if comparison.by == "algorithm" else title:
            yield Text(heading, style="bold")
        if number == 0:
            yield from _heading(layout, console)
        for row in rows:
            yield from _row(row, layout, console)


def _groups(comparison: Comparison) -> dict[str, list[Row]]:
    if comparison.by == "algorithm":
        return {setting: list(rows) for setting, rows in comparison.settings.items()}
    groups: dict[str, list[Row]] = {}
    for row in comparison.rows:
        groups.setdefault(f"{comparison.by} {field_text(row, comparison.by)}", []).append(row)
    return groups


def _layout(comparison: Comparison, rows: Sequence[Row], width: int) -> _Layout:
    metrics = _metrics(rows)
    texts = {id(row): _texts(comparison, row, metrics) for row in rows}
    widths: dict[str, int] = {}
    for name, text in (item for one in texts.values() for item in one.items()):
        widths[name] = max(widths.get(name, len(_heading_text(name))), text.cell_len)
    longest = max((value.mean for row in rows if (value := row.metrics["speedup"])), default=0.0)
    longest_name = widths["method"]
    least = min(_LEAST_METHOD, longest_name)
    rest = width - sum(widths.values()) + longest_name - GAP * len(widths)
    if "speedup" in widths:
        widths["bar"] = min(_MOST_BAR, max(_LEAST_BAR, rest - max(least, min(longest_name, rest - _LEAST_BAR))))
        rest -= widths["bar"]
    widths["method"] = max(least, min(longest_name, rest))
    order = [
        "method",
        *(name for metric in metrics for name in (metric.name, f"{metric.name} verdict")),
        "bar",
        "state",
    ]
    return _Layout(texts=texts, widths={name: widths[name] for name in order if name in widths}, longest_bar=longest)


def _metrics(rows: Sequence[Row]) -> tuple[Metric, ...]:
    """Return the metrics of quality and of speed to show, without those that no row has.

    Quality is the test accuracy, or the test loss for language models. Speed is the speed-up, or the seconds per epoch
    if no row has a speed-up.
    """
    known = [name for name in _DECIDING if any(row.metrics[name] is not None for row in rows)]
    kinds = {"test_loss" if row.is_language_model else "test_accuracy" for row in rows}
    quality = [name for name in known if name in kinds]
    speed = [name for name in ("speedup", "seconds_per_epoch") if name in known][:1]
    return tuple(METRICS[name] for name in (*quality, *speed))


def _heading(layout: _Layout, console: Console) -> Iterator[Segment]:
    texts = {name: Text(_heading_text(name)) for name in layout.widths}
    yield from row_line(texts, layout.widths, console, (), "bold")
    yield from rule_line(layout.widths)


def _heading_text(name: str) -> str:
    return METRICS[name].heading if name in METRICS else "method" if name == "method" else ""


def _texts(comparison: Comparison, row: Row, metrics: Sequence[Metric]) -> dict[str, Text]:
    """Return the texts of a table row by column name; columns without a text, such as ``bar``, are left out."""
    verdict = comparison.verdict_of(row)
    accuracy = verdict.accuracy_of(row)
    words = {
        "test_accuracy": None if accuracy is None or accuracy.by_loss else accuracy.word,
        "test_loss": accuracy.word if accuracy is not None and accuracy.by_loss else None,
        "speedup": speed_word(verdict, row),
    }
    without = (comparison.by,) if comparison.by != "algorithm" else ()
    name = comparison.labels.whole(row, without) if without else comparison.labels.method(row)
    texts = {"method": Text(name + row_mark(comparison, row), style="bold" if row is verdict.recommended else "")}
    for metric in metrics:
        texts[metric.name] = Text(metric.text(row.metrics[metric.name]))
        if word := words.get(metric.name):
            texts[f"{metric.name} verdict"] = Text(word, style=_VERDICT_STYLES[word])
    return texts


def _row(row: Row, layout: _Layout, console: Console) -> Iterator[Segment | Text]:
    texts = layout.texts[id(row)]
    method = texts["method"]
    width = layout.widths["method"]
    fits = method.cell_len <= width and method.plain.isprintable()
    names = [method] if fits else list(method.wrap(console, width)) or [method]
    line = {name: texts.get(name, Text()) for name in layout.widths}
    line["method"] = Text(names[0].plain, style=method.style)
    if "bar" in layout.widths:
        line["bar"] = _bar(row, layout)
    yield from row_line(line, layout.widths, console, ())
    state = [Text(f"  {row.state}", style="red")] if row.state else []
    yield from (Text(name.plain, style=name.style) for name in (*names[1:], *state))


def _bar(row: Row, layout: _Layout) -> Text:
    """Return a bar whose length is proportional to the row's speed-up; an empty text if there is no speed-up."""
    value = row.metrics["speedup"]
    if value is None or not (0 < value.mean < math.inf):
        return Text()
    eighths = max(1, round(8 * layout.widths["bar"] * value.mean / layout.longest_bar))
    text = _EIGHTHS[-1] * (eighths // 8) + (_EIGHTHS[eighths % 8 - 1] if eighths % 8 else "")
    return Text(text, style="dim" if row.is_baseline else "cyan")
