"""The command ``liecbench verify``: check a results directory for damage and, with an option, copy its whole cells.

A cell is whole if none of its records is missing, damaged or out of place.
"""

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liecbench.cli.options import OutputFormat, TextOrJson
from liecbench.console.console import ignore_broken_pipe
from liecbench.errors import ExitCode

if TYPE_CHECKING:
    from liecbench.results.salvage import Verification

_MOST_SHOWN = 20


def verify(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", show_default=False)],
    salvage: Annotated[
        bool, typer.Option("--salvage", help="Write the whole cells to the new directory RESULTS-salvaged.")
    ] = False,
    output: OutputFormat = TextOrJson.TABLE,
) -> None:
    """Check a results directory's ledger for damaged lines, and name the cells that are not whole.

    A line is damaged if it cannot be read, if its checksum is wrong, if the line before it is missing, or if its record
    is out of place, such as epoch 3 directly after epoch 1. A cell is whole if none of its records is missing, damaged
    or out of place.

    If no line is damaged, the exit code is 0. If a line is damaged, the exit code is 2 without `--salvage`. With
    `--salvage`, it is 0 if the whole cells are written, 4 if no cell is whole, and 2 if writing fails.
    """
    from liecbench.results.salvage import Verification

    found = Verification.of(results)
    if output == TextOrJson.JSON:
        written = found.salvage() if salvage and found.damage else None
        with ignore_broken_pipe():
            print(json.dumps(_object(found, written), indent=2))
        raise typer.Exit(ExitCode.USAGE if found.damage and written is None else ExitCode.DONE)
    with ignore_broken_pipe():
        for line in _report(found):
            print(line)
        if not found.damage:
            if salvage:
                print(f"nothing to salvage: {results} is as it was")
            return
        if not salvage:
            print(f"next: liecbench verify {shlex.quote(str(results))} --salvage writes the whole cells anew")
            raise typer.Exit(ExitCode.USAGE)
        print(f"wrote {found.salvage()}; {_whole_cells(found)}; {results} is as it was")


def _object(found: "Verification", written: Path | None) -> dict[str, Any]:
    return {
        "ledger": str(found.path),
        "lines": len(found.lines),
        "damaged_lines": [{"line": line.number, "damage": line.damage} for line in found.damage],
        "damaged_cells": dict(found.damaged),
        "whole_cells": dict(_states(found, are_trainings=False)),
        "whole_trainings": dict(_states(found, are_trainings=True)),
        "has_partial_line": found.has_partial_line,
        "lines_without_checksum": found.num_unnumbered,
        "salvaged": None if written is None else str(written),
    }


def _report(found: "Verification") -> list[str]:
    """Return the lines to print: the damaged lines and damaged cells of the ledger, notes, and a line of totals."""
    damage = found.damage
    lines = [f"{found.path}:{line.number}: {line.damage}" for line in damage[:_MOST_SHOWN]]
    lines += [f"more damaged lines: {len(damage) - _MOST_SHOWN}"] if len(damage) > _MOST_SHOWN else []
    names = [f"not whole: cell {name}: {text}" for name, text in found.damaged.items()]
    lines += names[:_MOST_SHOWN]
    lines += [f"more cells that are not whole: {len(names) - _MOST_SHOWN}"] if len(names) > _MOST_SHOWN else []
    if found.has_partial_line:
        lines.append("the last line is incomplete, because a run was interrupted; that is no damage")
    if found.num_unnumbered:
        count = f"lines of an earlier version: {found.num_unnumbered}"
        lines.append(f"{count}; they have no checksum, so that only values and order are checked")
    verdict = (
        f"damaged lines: {len(damage)} of {len(found.lines)}" if damage else f"lines: {len(found.lines)}, all whole"
    )
    lines.append(f"{found.path}: {verdict}; {_whole_cells(found)}")
    return lines


def _whole_cells(found: "Verification") -> str:
    # `run` counts a cell that is timed and the training that provides its losses as one cell.
    cells, trainings = (_states(found, are_trainings=are_trainings) for are_trainings in (False, True))
    text = f"whole cells: {_counts(cells)}"
    return f"{text}; whole trainings for timed cells: {_counts(trainings)}" if trainings else text


def _states(found: "Verification", *, are_trainings: bool) -> Counter[str]:
    return Counter(state for name, state in found.states.items() if (name in found.trainings) is are_trainings)


def _counts(states: Counter[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in states.items()) or "none"
