"""Lines of a table for Rich to print.

They are composed here and not by Rich, whose own tables take long to lay out if they have many rows.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from rich.console import Console
from rich.segment import Segment
from rich.text import Text

GAP = 2


def table_width(columns: Mapping[str, Sequence[Text]]) -> int:
    """Return the width, in characters, of the lines that ``table_lines`` yields for ``columns``."""
    return sum(_widths(columns).values()) + GAP * (len(columns) - 1)


def table_lines(columns: Mapping[str, Sequence[Text]], console: Console, right: Collection[str]) -> Iterator[Segment]:
    """Yield the lines of a table: the headings, a rule, and the rows.

    Args:
        columns: The heading and then the texts of each column, by the column's name.
        console: The console, which knows the styles.
        right: The names of the columns to align on the right.
    """
    widths = _widths(columns)
    for index, texts in enumerate(zip(*columns.values(), strict=True)):
        yield from row_line(dict(zip(columns, texts, strict=True)), widths, console, right, "bold" if not index else "")
        if index == 0:
            yield from rule_line(widths)


def rule_line(widths: Mapping[str, int]) -> Iterator[Segment]:
    """Yield the horizontal rule below a table's headings, from the width of each column in characters."""
    yield Segment("─" * (sum(widths.values()) + GAP * (len(widths) - 1)))
    yield Segment.line()


def row_line(
    texts: Mapping[str, Text], widths: Mapping[str, int], console: Console, right: Collection[str], style: str = ""
) -> Iterator[Segment]:
    """Yield the pieces of text of one line of a table.

    Args:
        texts: The text of each column by the column's name.
        widths: The width of each column in characters.
        console: The console, which knows the styles.
        right: The names of the columns to align on the right.
        style: The style of padding, and of texts without a style of their own.
    """
    line: list[tuple[str, str]] = []
    for place, (name, text) in enumerate(texts.items()):
        padding = " " * (widths[name] - text.cell_len)
        before, after = (padding, "") if name in right else ("", padding)
        line += [(" " * GAP * bool(place) + before, style), (text.plain, str(text.style) or style), (after, style)]
    while line and not line[-1][0].strip():
        line.pop()
    yield from (Segment(text, console.get_style(own) if own else None) for text, own in line if text)
    yield Segment.line()


def _widths(columns: Mapping[str, Sequence[Text]]) -> dict[str, int]:
    return {name: max(text.cell_len for text in texts) for name, texts in columns.items()}
