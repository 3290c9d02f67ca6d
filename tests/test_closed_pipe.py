"""Commands whose output nobody reads, as behind ``| true``: they do and return the same."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from liecbench.results.ledger_reader import read
from liecbench.results.records import Epoch
from tests.cli.in_process import run_in_process
from tests.ledgers import run_of, write_ledger


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write_ledger(tmp_path / "results", *(run_of(f"cell{seed}", seed=seed) for seed in range(5)))


@pytest.fixture
def heavier(results: Path, tmp_path: Path) -> Path:
    """The same results with more payload bytes."""
    more = {"sent": [125, 100], "received": [100, 100]}
    records = (
        dataclasses.replace(each, payload_bytes=more) if isinstance(each, Epoch) else each for each in read(results)
    )
    return write_ledger(tmp_path / "heavier", list(records))


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def unread(closed_pipe: int, *arguments: object, stderr: int = subprocess.PIPE) -> tuple[int, str]:
    """Run a command that prints to a closed pipe, and return its exit code and what it printed on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "liecbench", *map(str, arguments)],
        stdout=closed_pipe,
        stderr=stderr,
        # Every line is written at once. Otherwise only long texts would meet the closed pipe before the command's end.
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        text=True,
        check=False,
    )
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["check", "--help"],
        ["list", "algorithms"],
        ["schema"],
        ["doctor"],
        ["compare", "RESULTS"],
        ["compare", "RESULTS", "--format", "json"],
        ["verify", "RESULTS"],
        ["predict", "--parameters", "30M", "--step-seconds", "0.15", "--compress-gbytes-per-second", "5"],
    ],
    ids=" ".join,
)
def test_nobody_reads_a_command_that_succeeds(closed_pipe: int, results: Path, arguments: list[str]) -> None:
    given = [results if word == "RESULTS" else word for word in arguments]

    assert unread(closed_pipe, *given) == (0, "")


@pytest.mark.parametrize("stderr", [subprocess.PIPE, subprocess.STDOUT], ids=["stdout", "both"])
@pytest.mark.parametrize("output", ["table", "json"])
def test_a_verdict_and_its_files_are_the_same(
    closed_pipe: int, results: Path, heavier: Path, tmp_path: Path, output: str, stderr: int
) -> None:
    baseline = tmp_path / "baseline.json"
    assert run_in_process("baseline", results, "-o", baseline).returncode == 0

    for checked, code in ((results, 0), (heavier, 1)):
        names = [checked / name for name in ("read.json", "read.xml", "unread.json", "unread.xml")]
        command = ("check", "results", checked, "--baseline", baseline, "--format", output)
        read_code = run_in_process(*command, "--json", names[0], "--junit", names[1]).returncode
        unread_code, _ = unread(closed_pipe, *command, "--json", names[2], "--junit", names[3], stderr=stderr)

        assert (read_code, unread_code) == (code, code)
        assert [name.read_text() for name in names[:2]] == [name.read_text() for name in names[2:]]


def test_a_damaged_ledger_is_still_salvaged(closed_pipe: int, results: Path) -> None:
    with (results / "records.jsonl").open("a") as ledger:
        ledger.write("damaged\nalso damaged\n")

    assert unread(closed_pipe, "verify", results)[0] == 2
    assert unread(closed_pipe, "verify", results, "--salvage")[0] == 0
    assert (results.with_name("results-salvaged") / "records.jsonl").exists()
