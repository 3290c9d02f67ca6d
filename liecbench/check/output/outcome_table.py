"""The outcome as a table on a terminal, and the words that it shares with every other format."""

import math
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from rich import box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from liecbench.check.output.json_outcome import verdict_name
from liecbench.check.verdict import Finding, Outcome, Shown, Verdict, worst_first
from liecbench.errors import ExitCode

NEVER_GATED: Final = "shown, never gated"
NOISY: Final = "~ noisy: in over a fifth of these pairs computing had to wait for a processor"
CELL_FAILED: Final = "CELL FAILED"
_PLACE: Final = "cell\nmetric"
LEFT: Final = frozenset({"verdict", "cell", "metric", "evidence", _PLACE})
_SCALES: Final = {
    "seconds": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
}
_STYLES: Final = {"FAIL": "bold red", CELL_FAILED: "bold red", "INCONCLUSIVE": "yellow", "PASS": "green"}
# Where a line is too long, these columns fold, down to this width.
_FOLDING: Final = frozenset({"cell", _PLACE})
_NARROWEST = 20
_LEAST_DIGITS, _MOST_DIGITS = 3, 17


class Problem(NamedTuple):
    """What did not pass: the verdict in capitals, cell and metric (none for a cell that failed), and the reason."""

    verdict: str
    where: str
    reason: str


def render(outcome: Outcome, *, width: int) -> Group:
    """The findings, worst first; below them why they did not pass, what is never gated, notes, and the verdict."""
    parts: list[RenderableType] = []
    if outcome.findings:
        parts.append(_table([texts(finding) for finding in worst_first(outcome.findings)], width))
    if any(finding.noisy for finding in outcome.findings):
        parts.append(Text(NOISY, style="dim"))
    for verdict, where, reason in problems(outcome):
        place = f" {plain(where)}" if where else ""
        parts.append(Text.assemble((verdict, _STYLES.get(verdict, "")), f"{place}: {plain(_first_line(reason))}"))
    if outcome.shown:
        parts += [
            Text(f"\n{NEVER_GATED}", style="bold"),
            _table([shown_texts(shown) for shown in outcome.shown], width),
        ]
    parts += [Text(plain(note), style="dim") for note in outcome.notes]
    parts.append(Text(headline(outcome), style=_STYLES.get(verdict_name(outcome).upper(), "bold")))
    return Group(*parts)


def headline(outcome: Outcome) -> str:
    """``FAIL: 2 of 14 failed, 1 inconclusive``."""
    cells = len(outcome.failed_cells)
    unmeasured = [f"{cells} cell{'s' if cells > 1 else ''} could not be measured"] if cells else []
    first = outcome.exit_code is ExitCode.CELL_FAILED
    parts = unmeasured + _counts(outcome) if first else _counts(outcome) + unmeasured
    return f"{verdict_name(outcome).upper()}: {', '.join(parts)}"


def problems(outcome: Outcome) -> list[Problem]:
    """Everything that did not pass: failures, cells that could not be measured, then the rest, worst first."""
    found = [
        Problem(finding.verdict.upper(), f"{finding.cell} · {_spaced(finding.metric)}", finding.reason)
        for finding in worst_first(outcome.findings)
        if finding.verdict is not Verdict.PASS
    ]
    failures = outcome.count(Verdict.FAIL)
    return [
        *found[:failures],
        *(Problem(CELL_FAILED, "", text) for text in outcome.failed_cells),
        *found[failures:],
    ]


def texts(finding: Finding) -> dict[str, str]:
    """A finding's figures by their headings, each in one line; empty where there is none."""
    baseline, now = _amounts(finding.metric, finding.baseline, finding.current, percent=finding.unit == "points")
    detectable = finding.smallest_detectable
    return {
        "verdict": finding.verdict.upper(),
        "cell": plain(finding.cell),
        "metric": plain(_spaced(finding.metric)) + " ~" * finding.noisy,
        "baseline": baseline,
        "now": now,
        "change": _change(finding),
        "pairs": str(len(finding.pairs) or ""),
        "evidence": _evidence(finding),
        "smallest detectable": "" if detectable is None else _percent(detectable, finding).removeprefix("+"),
    }


def shown_texts(shown: Shown) -> dict[str, str]:
    """The same for a figure that is never gated."""
    baseline, now = _amounts(shown.metric, shown.baseline, shown.current, percent=False)
    change = f"{_signed(100 * (shown.current / shown.baseline - 1))} %" if shown.baseline else ""
    return {
        "cell": plain(shown.cell),
        "metric": plain(_spaced(shown.metric)),
        "baseline": baseline,
        "now": now,
        "change": change,
    }


def filled(rows: Sequence[dict[str, str]]) -> list[str]:
    """The headings of columns that are not empty everywhere."""
    return [heading for heading in rows[0] if any(row[heading] for row in rows)]


def plain(text: str) -> str:
    """A text in one line, of printable characters alone: whatever a name holds, it moves no cursor."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _first_line(reason: str) -> str:
    """A lost side's log was told on standard error."""
    return reason.partition("\n")[0]


def _counts(outcome: Outcome) -> list[str]:
    total, passed = len(outcome.findings), outcome.count(Verdict.PASS)
    failed, unsure = outcome.count(Verdict.FAIL), outcome.count(Verdict.INCONCLUSIVE)
    skipped = [f"{number} not compared"] if (number := outcome.count(Verdict.NOT_COMPARED)) else []
    if failed:
        return [f"{failed} of {total} failed", *([f"{unsure} inconclusive"] if unsure else []), *skipped]
    if unsure:
        return [f"{unsure} of {total} inconclusive", *skipped]
    if passed:
        return [f"all {passed} passed", *skipped]
    if total:
        return [f"none of {total} could be compared"]
    return [] if outcome.failed_cells else ["there was nothing to compare"]


def _table(rows: Sequence[dict[str, str]], width: int) -> Table:
    """One line a row where that fits, else several."""
    rows = _said_once(rows)
    if _needed(rows) > width and "verdict" in rows[0]:
        rows = [_stacked(row) for row in rows]
    fits = _needed(rows) <= width
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in filled(rows):
        justify: Literal["left", "right"] = "left" if heading in LEFT else "right"
        firm = fits and heading not in _FOLDING
        table.add_column(heading, justify=justify, overflow="fold", no_wrap=firm)
    for row in rows:
        table.add_row(*(Text(row[heading], style=_STYLES.get(row[heading], "")) for heading in filled(rows)))
    return table


def _said_once(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Without a cell's name where it stands in the row above."""
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
    """The width that these rows take without folding anything but the cell."""
    needed = -2
    for heading in filled(rows):
        widest = max(cell_len(line) for text in (heading, *(row[heading] for row in rows)) for line in text.split("\n"))
        needed += 2 + (min(widest, _NARROWEST) if heading in _FOLDING else widest)
    return needed


def _spaced(metric: str) -> str:
    return metric.replace("_", " ")


def _change(finding: Finding) -> str:
    if finding.change is None:
        return ""
    text = _percent(finding.change, finding)
    if finding.low is None and finding.high is None:
        return text
    low, high = ("…" if bound is None else _signed(100 * bound) for bound in (finding.low, finding.high))
    return f"{text} [{low}, {high}]"


def _percent(value: float, finding: Finding) -> str:
    return f"{_signed(100 * value)} {'points' if finding.unit == 'points' else '%'}"


def _signed(value: float) -> str:
    """One decimal, or as many as it takes not to say zero of a change."""
    text = f"{value:+,.1f}"
    if value and text in ("+0.0", "-0.0"):
        text = f"{value:+.2g}"
    return text.replace("-", "−").replace("inf", "∞")


def _evidence(finding: Finding) -> str:
    if finding.evidence is None:
        return ""
    slower, within = (
        f"{value:.0f}" if 99.5 <= value < 1e5 else f"{value:.2g}"
        for value in (finding.evidence.slower, finding.evidence.within)
    )
    return f"slower {slower}, within {within}"


def _amounts(metric: str, baseline: float | None, now: float | None, *, percent: bool) -> tuple[str, str]:
    """Both with their unit, in as many digits as tell them apart: a byte too many shows."""
    measured = metric.partition("_per_")[0]
    kind = "percent" if percent else next((name for name in _SCALES if measured.endswith(name)), "")
    for digits in range(_LEAST_DIGITS, _MOST_DIGITS + 1):
        pair = _amount(baseline, kind, digits), _amount(now, kind, digits)
        if pair[0] != pair[1] or baseline == now:
            break
    return pair


def _amount(value: float | None, kind: str, digits: int) -> str:
    if value is None:
        return ""
    if kind == "percent":
        return f"{100 * value:.{digits - 2}f} %"
    scales = _SCALES.get(kind, ((1.0, ""),))
    # 0.9995 of a unit is one of it in three digits.
    size, unit = next((scale for scale in scales if abs(value) >= 0.9995 * scale[0]), scales[-1])
    scaled = value / size
    whole = len(f"{abs(scaled):.0f}") if math.isfinite(scaled) and abs(scaled) < 1e15 else 0
    return f"{scaled:,.{max(digits, whole)}g} {unit}".rstrip()
