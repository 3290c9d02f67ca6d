"""A check's outcome as a table on a terminal. The headline and the list of problems serve other formats too."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from rich import box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from liecbench.check.output.json_outcome import verdict_name
from liecbench.check.output.result_texts import one_line, result_texts, spaced, ungated_texts
from liecbench.check.verdict import Outcome, Verdict, worst_first
from liecbench.errors import ExitCode

NEVER_GATED: Final = "for information, never gated"
NOISY: Final = "~ noisy: computing waited for a processor in over a fifth of these pairs"
CELL_FAILED: Final = "CELL FAILED"
TIME_NOT_GATED: Final = "time not gated"
CHANGE_OF_PAIRS: Final = (
    "change of step times: the median over the pairs of B ÷ A − 1. Baseline and now are the medians of A and of B alone"
)
_PLACE: Final = "cell\nmetric"
LEFT: Final = frozenset({"verdict", "cell", "metric", "evidence", _PLACE})
_STYLES: Final = {"FAIL": "bold red", CELL_FAILED: "bold red", "INCONCLUSIVE": "yellow", "PASS": "green"}
# If a table is too wide, these columns are wrapped, down to _NARROWEST characters.
_WRAPPED: Final = frozenset({"cell", _PLACE})
_NARROWEST = 20
# Nobody reads more rows of a table; the worst stand first.
_MOST_ROWS: Final = 500


class Problem(NamedTuple):
    """A result that did not pass, or a cell that failed.

    Attributes:
        verdict: The verdict in capitals.
        where: The cell and the metric; for a failed cell only the cell.
        reason: The reason, possibly with several lines.
    """

    verdict: str
    where: str
    reason: str


def render(outcome: Outcome, *, width: int) -> Group:
    """Return everything to print about a check's outcome, in the order of printing.

    The order is: results (worst first), reasons for verdicts, metrics that cannot fail the check, notes, headline.

    Args:
        outcome: The outcome of a check.
        width: Width of the terminal in characters.
    """
    parts: list[RenderableType] = []
    if outcome.results:
        shown = worst_first(outcome.results)[:_MOST_ROWS]
        parts.append(_table([result_texts(result) for result in shown], width))
        parts += _left_out(len(outcome.results))
    if any(result.noisy for result in outcome.results):
        parts.append(Text(NOISY, style="dim"))
    if any(result.pairs for result in outcome.results):
        parts.append(Text(CHANGE_OF_PAIRS, style="dim"))
    for verdict, where, reason in problems(outcome)[:_MOST_ROWS]:
        text = f" {one_line(where)}: {one_line(first_line(reason))}"
        parts.append(Text.assemble((verdict, _STYLES.get(verdict, "")), text))
    for result in outcome.results:
        if result.verdict is Verdict.PASS and result.pairs:
            place = one_line(f"{result.cell} · {spaced(result.metric)}")
            parts.append(Text.assemble(("PASS", _STYLES["PASS"]), f" {place}: {one_line(result.reason)}"))
    if outcome.ungated:
        parts += [
            Text(f"\n{NEVER_GATED}", style="bold"),
            _table(list(map(ungated_texts, outcome.ungated[:_MOST_ROWS])), width),
            *_left_out(len(outcome.ungated)),
        ]
    parts += [Text(one_line(note), style="dim") for note in outcome.notes]
    parts.append(Text(headline(outcome), style=_STYLES.get(verdict_name(outcome).upper(), "bold")))
    return Group(*parts)


def _left_out(count: int) -> list[Text]:
    if count <= _MOST_ROWS:
        return []
    return [Text(f"and {count - _MOST_ROWS} more rows: --format json has all", style="dim")]


def headline(outcome: Outcome) -> str:
    """Return the verdict with counts, such as ``FAIL: 2 of 14 failed, 1 inconclusive``."""
    cells = len(outcome.failed_cells)
    unmeasured = [f"{cells} cell{'s' if cells > 1 else ''} could not be measured"] if cells else []
    first = outcome.exit_code is ExitCode.CELL_FAILED
    parts = unmeasured + _counts(outcome) if first else _counts(outcome) + unmeasured
    return f"{verdict_name(outcome).upper()}: {', '.join(parts)}"


def problems(outcome: Outcome) -> list[Problem]:
    """Return all problems: failed results, then failed cells, then inconclusive and not compared results.

    Results of a cell that are not compared for the same reason are one problem.
    """
    found = [
        Problem(result.verdict.upper(), f"{result.cell} · {spaced(result.metric)}", result.reason)
        for result in worst_first(outcome.results)
        if result.verdict not in (Verdict.PASS, Verdict.NOT_COMPARED)
    ]
    skipped: dict[tuple[str, str], list[str]] = {}
    for result in outcome.results:
        if result.verdict is Verdict.NOT_COMPARED:
            metrics = skipped.setdefault((result.cell, result.reason), [])
            metrics += [] if (name := spaced(result.metric)) in metrics else [name]
    found += [
        Problem(Verdict.NOT_COMPARED.upper(), f"{cell} · {', '.join(metrics)}", reason)
        for (cell, reason), metrics in skipped.items()
    ]
    failures = outcome.count(Verdict.FAIL)
    return [
        *found[:failures],
        *(Problem(CELL_FAILED, failed.cell, failed.reason) for failed in outcome.failed_cells),
        *found[failures:],
    ]


def used_headings(rows: Sequence[dict[str, str]]) -> list[str]:
    """Return the headings of the columns that have a text in at least one row."""
    return [heading for heading in rows[0] if any(row[heading] for row in rows)]


def first_line(reason: str) -> str:
    """Return the first line of a ``Problem.reason``. Any further lines are the end of the ranks' log."""
    return reason.partition("\n")[0]


def _counts(outcome: Outcome) -> list[str]:
    total, passed = len(outcome.results), outcome.count(Verdict.PASS)
    failed, unsure = outcome.count(Verdict.FAIL), outcome.count(Verdict.INCONCLUSIVE)
    required = " (--require-all)" if outcome.lacks_comparisons else ""
    skipped = [f"{number} not compared{required}"] if (number := outcome.count(Verdict.NOT_COMPARED)) else []
    if failed:
        return [f"{failed} of {total} failed", *([f"{unsure} inconclusive"] if unsure else []), *skipped]
    if unsure:
        return [f"{unsure} of {total} inconclusive", *skipped]
    if passed:
        ungated = [] if any(result.gates_time for result in outcome.results) else [TIME_NOT_GATED]
        return [f"all {passed} passed", *skipped, *ungated]
    if total:
        return [f"none of {total} could be compared"]
    return [] if outcome.failed_cells else ["there was nothing to compare"]


def _table(rows: Sequence[dict[str, str]], width: int) -> Table:
    """Return a table with one line per row or, if the table would be wider than ``width``, several lines per row."""
    rows = _without_repeats(rows)
    if _needed(rows) > width and "verdict" in rows[0]:
        rows = [_stacked(row) for row in rows]
    fits = _needed(rows) <= width
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    headings = used_headings(rows)
    for heading in headings:
        justify: Literal["left", "right"] = "left" if heading in LEFT else "right"
        firm = fits and heading not in _WRAPPED
        table.add_column(heading, justify=justify, overflow="fold", no_wrap=firm)
    for row in rows:
        table.add_row(*(Text(row[heading], style=_STYLES.get(row[heading], "")) for heading in headings))
    return table


def _without_repeats(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Return copies of ``rows`` in which the cell's name is blank if it is also the name in the row above."""
    above = ["", *(row["cell"] for row in rows)]
    return [{**row, "cell": "" if row["cell"] == name else row["cell"]} for name, row in zip(above, rows, strict=False)]


def _stacked(row: dict[str, str]) -> dict[str, str]:
    numbered = (("", row["pairs"], " pairs"), ("detects ", row["smallest detectable"], ""))
    more = [f"{before}{text}{after}" for before, text, after in numbered if text]
    amounts = " → ".join(text for text in (row["baseline"], row["now"]) if text)
    return {
        "verdict": row["verdict"],
        _PLACE: f"{row['cell']}\n  {row['metric']}".lstrip("\n"),
        "baseline → now\nchange": f"{amounts}\n{row['change']}".strip("\n"),
        "evidence": "\n".join(part for part in (*row["evidence"].split(", "), *more) if part),
    }


def _needed(rows: Sequence[dict[str, str]]) -> int:
    """Return the least width in characters at which a table of these rows breaks lines only in ``_WRAPPED`` columns.

    ``_WRAPPED`` columns that are wider than ``_NARROWEST`` characters are assumed to shrink to ``_NARROWEST``.
    """
    needed = -2
    for heading in used_headings(rows):
        widest = max(cell_len(line) for text in (heading, *(row[heading] for row in rows)) for line in text.split("\n"))
        needed += 2 + (min(widest, _NARROWEST) if heading in _WRAPPED else widest)
    return needed
