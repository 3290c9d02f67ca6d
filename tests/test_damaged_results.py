"""Damaged results never become numbers: every command refuses them, or shows the same numbers, or says what is missing.

By default, samples of the larger corpora run through the commands; with --long, all of `compare`'s corpora do.
"""

import hashlib
import json
import random
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from liecbench.errors import LiecbenchError
from liecbench.results.ledger import LEDGER_NAME
from liecbench.results.stored_cells import load
from tests import damaged_ledgers
from tests.cli.in_process import run_in_process
from tests.damaged_ledgers import Damage

LINES = damaged_ledgers.whole()
FIRST = damaged_ledgers.first_schema(LINES)
SCENARIO = """
name: damaged
task: {dataset: digits, model: {name: mlp, width: 8, layers: 1}, batch_size: 32, epochs: 2, learning_rate: 0.1}
matrix: {algorithm: [ddp], workers: [2], link: [20mbit], seed: [0]}
timing: end_to_end
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results directory, a baseline of the whole ledger and a scenario."""
    place = tmp_path_factory.mktemp("damaged")
    (place / "r").mkdir()
    (place / "s.yaml").write_text(SCENARIO)
    write(place, "".join(LINES).encode())
    assert run_in_process("baseline", place / "r", "-o", place / "b.json").returncode == 0
    return place


def write(place: Path, content: bytes) -> None:
    (place / "r" / LEDGER_NAME).write_bytes(content)


def compared(place: Path, content: bytes) -> subprocess.CompletedProcess[str]:
    """Write a ledger and compare it; a refusal, with which every command ends, is not worth running the command."""
    write(place, content)
    command = ["compare", str(place / "r"), "--format", "json"]
    try:
        load([place / "r"])
    except LiecbenchError as error:
        return subprocess.CompletedProcess(command, error.exit_code, "", f"liecbench: {error}\n")
    return run_in_process(*command)


def rows(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """Return the rows by method, link and timing, as ``compare`` prints them."""
    found = json.loads(done.stdout)["rows"]
    return {" ".join(str(row[name]) for name in ("algorithm", "link", "timing")): row for row in found}


def problem(damage: Damage, done: subprocess.CompletedProcess[str], expected: dict[str, dict[str, Any]]) -> str | None:
    """Return what is wrong with the outcome of ``compare`` on a damaged ledger."""
    if done.returncode == 2:
        line = done.stderr.partition(f"{LEDGER_NAME}:")[2].partition(":")[0]
        told = "liecbench verify" in done.stderr and len(done.stderr.splitlines()) == 1
        return None if told and (damage.line is None or line == str(damage.line)) else f"it said {done.stderr!r}"
    if damage.line is not None:
        return f"exit {done.returncode}, and line {damage.line} is damaged"
    if done.returncode == 4:
        return None
    if done.returncode != 0:
        return f"exit {done.returncode}: {done.stderr}"
    for name, row in rows(done).items():
        whole = expected.get(name, row)  # a training whose session was cut off is shown as a row of its own
        names = ("cells", "unfinished", "failed", "warnings")
        if row != whole and all(row[name] == whole[name] for name in names):
            return f"{name} has other numbers, without a mark"
    return None


def problems(place: Path, corpus: Iterable[Damage], lines: list[str] = LINES) -> list[str]:
    """Return what is wrong with the outcomes of ``compare`` on a corpus of damaged ledgers."""
    expected = rows(compared(place, "".join(lines).encode()))
    found = {damage.name: problem(damage, compared(place, damage.text), expected) for damage in corpus}
    return [f"{name}: {wrong}" for name, wrong in found.items() if wrong]


def test_the_whole_ledger_is_compared(place: Path) -> None:
    done = compared(place, "".join(LINES).encode())

    assert (done.returncode, done.stderr) == (0, "")
    assert run_in_process("verify", place / "r").returncode == 0


@pytest.fixture(scope="module")
def share(request: pytest.FixtureRequest) -> int:
    """Of a large corpus, one in so many changes is tried; all with --long."""
    return 1 if request.config.getoption("--long") else 10


def test_deleted_repeated_and_moved_lines_are_named(place: Path) -> None:
    assert problems(place, damaged_ledgers.moved_lines(LINES)) == []


def test_flipped_bits_are_named_and_cut_off_ledgers_are_marked(place: Path) -> None:
    assert problems(place, damaged_ledgers.bytes_changed(LINES, 40)) == []


@pytest.mark.parametrize("sealed", [False, True], ids=["by accident", "with a checksum that fits"])
def test_wrong_values_are_named(place: Path, share: int, sealed: bool) -> None:
    corpus = list(damaged_ledgers.wrong_fields(LINES, sealed=sealed))[::share]

    assert problems(place, corpus) == []


def test_wrong_values_in_ledgers_of_the_first_schema_are_named(place: Path, share: int) -> None:
    corpus = list(damaged_ledgers.wrong_fields(FIRST, sealed=False))[share // 2 :: share]

    assert problems(place, corpus, FIRST) == []


def test_lines_that_ledgers_of_the_first_schema_lack_are_named_or_marked(place: Path) -> None:
    """Nothing tells how many bursts there were, so that only lines of trained cells are deleted."""
    trained = [damage for damage in damaged_ledgers.moved_lines(FIRST) if damage.line is None or damage.line < 23]

    assert problems(place, [replace(damage, line=None) for damage in trained], FIRST) == []


def test_random_damage_changes_no_number_unseen(place: Path, share: int) -> None:
    corpus = (damaged_ledgers.randomly(LINES, random.Random(seed)) for seed in range(600 // share))

    assert problems(place, corpus) == []


def test_no_command_accepts_what_compare_refuses(place: Path, share: int) -> None:
    corpus = [
        *damaged_ledgers.moved_lines(LINES),
        *list(damaged_ledgers.wrong_fields(LINES, sealed=True))[::4],
        *damaged_ledgers.bytes_changed(LINES, 40),
    ]
    results = place / "r"
    commands = [
        ["report", results, "-o", place / "r.html"],
        ["check", "results", results, "--baseline", place / "b.json"],
        ["baseline", results, "-o", place / "new.json"],
        ["run", place / "s.yaml", "--out", results],
        ["verify", results],
    ]
    accepted = []
    for damage in [damage for damage in corpus if damage.line is not None][:: 2 * share - 1]:
        for command in commands:
            write(place, damage.text)
            done = run_in_process(*command)
            named = f"{LEDGER_NAME}:{damage.line}: " in done.stdout + done.stderr
            if (done.returncode, named, "Traceback" in done.stderr) != (2, True, False):
                accepted.append(f"{damage.name}: {command[0]} exits with {done.returncode}: {done.stderr}")
            if (results / LEDGER_NAME).read_bytes() != damage.text:
                accepted.append(f"{damage.name}: {command[0]} changed the ledger")

    assert accepted == []
    assert not (place / "new.json").exists()
    assert not (place / "r.html").exists()


def test_wrong_values_of_a_baseline_are_named(place: Path, share: int) -> None:
    """Each value of a baseline's first cell is replaced, with a checksum that fits."""
    document = json.loads((place / "b.json").read_text())
    write(place, "".join(LINES).encode())
    accepted = []
    corpus = [
        (path, name, value)
        for path in damaged_ledgers.places(document["cells"][0])
        for name, value in damaged_ledgers.WRONG.items()
        if (path[-1], name) not in damaged_ledgers.RIGHT and path[0] != "spec"
    ]
    for path, name, value in corpus[::share]:
        cell = damaged_ledgers.changed(document["cells"][0], path, value)
        if cell == document["cells"][0] or (
            isinstance(damaged_ledgers.at(document["cells"][0], path), str) and name == "a text"
        ):
            continue
        cells = [cell, *document["cells"][1:]]
        rest = {"type": document["type"], "schema": 1, "liecbench": document["liecbench"], "cells": cells}
        text = json.dumps({**rest, "sha256": hashlib.sha256(json.dumps(rest, indent=1).encode()).hexdigest()}, indent=1)
        ordered = {key: json.loads(text)[key] for key in document}
        (place / "bad.json").write_text(json.dumps(ordered, indent=1) + "\n")
        done = run_in_process("check", "results", place / "r", "--baseline", place / "bad.json")
        if done.returncode != 2 or "bad.json: not a baseline" not in done.stderr:
            accepted.append(f"{path} is {name}: {done.returncode} {done.stderr[-300:]}")

    assert accepted == []
