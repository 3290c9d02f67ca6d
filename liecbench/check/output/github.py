"""A check's outcome for GitHub Actions: a step summary in Markdown, and annotations as workflow commands."""

import html
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from liecbench.check.output.outcome_table import (
    CELL_FAILED,
    CHANGE_OF_PAIRS,
    LEFT,
    NEVER_GATED,
    NOISY,
    Problem,
    headline,
    problems,
    used_headings,
)
from liecbench.check.output.result_texts import one_line, result_texts, ungated_texts
from liecbench.check.verdict import Outcome, worst_first
from liecbench.errors import ExitCode, LiecbenchError
from liecbench.untrusted.regular_files import append_text

# Per step, GitHub keeps ten annotations of each level and refuses a summary above 1 MiB; five sections can be long.
_LEVELS: Final = {"INCONCLUSIVE": "warning", "NOT COMPARED": "notice"}
_HEADLINE_LEVELS: Final = {ExitCode.DONE: "notice", ExitCode.INCONCLUSIVE: "warning"}
_MOST_PROBLEMS: Final = 9
_SECTION_BYTES: Final = 200_000


def summary(outcome: Outcome) -> str:
    """Return Markdown: the headline, a table of results, reasons, notes, and a collapsed table of ungated metrics."""
    sections = [["## liecbench check"], [f"**{_escaped(headline(outcome))}**"]]
    if outcome.results:
        sections.append(_table([result_texts(result) for result in worst_first(outcome.results)]))
    if any(result.noisy for result in outcome.results):
        sections.append([_escaped(NOISY)])
    if any(result.pairs for result in outcome.results):
        sections.append([_escaped(CHANGE_OF_PAIRS)])
    found = problems(outcome)
    sections.append(_cut(map(_item, (problem for problem in found if problem.verdict != CELL_FAILED))))
    sections.append(_cut(map(_item, (problem for problem in found if problem.verdict == CELL_FAILED))))
    sections.append(_cut(f"- {_escaped(note)}" for note in outcome.notes))
    if outcome.ungated:
        sections += [[f"<details><summary>{NEVER_GATED}</summary>"], _table(list(map(ungated_texts, outcome.ungated)))]
        sections.append(["</details>"])
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def append_summary(outcome: Outcome, path: Path) -> None:
    """Append the summary to ``path``, the file that GITHUB_STEP_SUMMARY names.

    Raises:
        LiecbenchError: If the file cannot be written.
    """
    try:
        append_text(path, f"\n{summary(outcome)}")
    except OSError as error:
        message = f"GITHUB_STEP_SUMMARY: {path} cannot be written ({error.strerror})"
        raise LiecbenchError(message, "name a file in a directory that can be written, or unset it") from None


def annotations(outcome: Outcome) -> list[str]:
    """Return GitHub workflow commands: one with the headline, then at most nine with one problem each, worst first."""
    level = _HEADLINE_LEVELS.get(outcome.exit_code, "error")
    return [
        _command(level, "liecbench check", headline(outcome)),
        *(_annotation(problem) for problem in problems(outcome)[:_MOST_PROBLEMS]),
    ]


def _annotation(problem: Problem) -> str:
    level = _LEVELS.get(problem.verdict, "error")
    return _command(level, f"{problem.verdict}: {problem.where}", problem.reason)


def _command(level: str, title: str, message: str) -> str:
    lines = "\n".join(map(one_line, message.splitlines()))
    return f"::{level} title={_property(one_line(title))}::{_data(lines)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _item(problem: Problem) -> str:
    return f"- **{problem.verdict}** {_escaped(problem.where)}: {_escaped(problem.reason)}"


def _table(rows: Sequence[dict[str, str]]) -> list[str]:
    headings = used_headings(rows)
    rule = ["---" if heading in LEFT else "---:" for heading in headings]
    lines = _cut(_line([_escaped(row[heading]) for heading in headings]) for row in rows)
    return [_line(headings), _line(rule), *lines]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cut(lines: Iterable[str]) -> list[str]:
    """Return the lines that fit into ``_SECTION_BYTES``. If others are left out, the last line says how many."""
    kept: list[str] = []
    remaining_bytes, left_out = _SECTION_BYTES, 0
    for line in lines:
        remaining_bytes -= len(line.encode()) + 1
        if remaining_bytes >= 0:
            kept.append(line)
        else:
            left_out += 1
    return [*kept, "", f"{left_out} more left out"] if left_out else kept


def _escaped(text: str) -> str:
    """Escape text for GitHub's Markdown, so that it is shown literally and mentions nobody."""
    shown = re.sub(r"([\\`*_\[\]|~#$])", r"\\\1", html.escape(one_line(text), quote=False))
    # GitHub treats even an escaped @ as a mention, but not an @ that a zero-width space follows.
    return shown.replace("@", "@\u200b")
