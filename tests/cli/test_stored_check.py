import dataclasses
import json
import re
import xml.etree.ElementTree as ET
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
def stored(results: Path) -> Path:
    done = run_in_process("baseline", results, "-o", results / "baseline.json")
    assert done.returncode == 0, done.stderr
    return results / "baseline.json"


@pytest.fixture
def heavier(results: Path, tmp_path: Path) -> Path:
    """The same results with more payload bytes."""
    records = [
        dataclasses.replace(record, payload_bytes={"sent": [125, 100], "received": [100, 100]})
        if isinstance(record, Epoch)
        else record
        for record in read(results)
    ]
    return write_ledger(tmp_path / "heavier", records)


def test_results_pass_against_their_own_baseline(results: Path, stored: Path) -> None:
    done = run_in_process("check", "results", results, "--baseline", stored)

    assert done.returncode == 0
    assert "PASS" in done.stdout.splitlines()[-1]
    assert "time not gated" in done.stdout.splitlines()[-1]  # the synthetic records lack communication times


def test_a_regression_exits_with_one_in_every_format(stored: Path, heavier: Path, tmp_path: Path) -> None:
    summary, junit, data = tmp_path / "summary.md", tmp_path / "junit.xml", tmp_path / "check.json"
    arguments = ("--baseline", stored, "--junit", junit, "--json", data, "--format", "json", "--github")
    done = run_in_process("check", "results", heavier, *arguments, environment={"GITHUB_STEP_SUMMARY": str(summary)})

    assert done.returncode == 1
    assert json.loads(done.stdout) == json.loads(data.read_text())
    assert json.loads(done.stdout)["verdict"] == "fail"
    assert int(ET.parse(junit).getroot().attrib["failures"]) > 0
    assert "payload" in summary.read_text()
    assert re.search(r"^::error", done.stderr, re.MULTILINE)


def test_a_report_that_cannot_be_written_is_named_and_the_others_are_written(
    stored: Path, heavier: Path, tmp_path: Path
) -> None:
    arguments = ("--baseline", stored, "--json", "/dev/full", "--junit", tmp_path / "junit.xml", "--github")
    environment = {"GITHUB_STEP_SUMMARY": str(tmp_path)}
    done = run_in_process("check", "results", heavier, *arguments, environment=environment)

    assert done.returncode == 1
    assert "a report is missing: /dev/full: No space left on device\n" in done.stderr
    assert f"a report is missing: GITHUB_STEP_SUMMARY: {tmp_path} cannot be written (Is a directory)" in done.stderr
    assert int(ET.parse(tmp_path / "junit.xml").getroot().attrib["failures"]) > 0
    assert re.search(r"^::error", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("options", [(), ("--require-all",)], ids=str)
def test_the_settings_say_if_all_was_required(results: Path, stored: Path, options: tuple[str, ...]) -> None:
    done = run_in_process("check", "results", results, "--baseline", stored, "--format", "json", *options)

    assert json.loads(done.stdout)["settings"]["require_all"] is bool(options)


def test_a_missing_baseline_exits_with_four(results: Path) -> None:
    done = run_in_process("check", "results", results, "--baseline", results / "none.json")

    assert (done.returncode, "liecbench baseline" in done.stderr) == (4, True)


def test_a_baseline_of_other_cells_exits_with_four(stored: Path, tmp_path: Path) -> None:
    larger = {"batch_size": 64}
    other = write_ledger(tmp_path / "other", *(run_of(f"c{seed}", seed=seed, task=larger) for seed in range(5)))
    done = run_in_process("check", "results", other, "--baseline", stored)

    assert done.returncode == 4
    assert "batch_size: 32 in the baseline, 64 here" in " ".join(done.stdout.split())


def test_a_summary_that_cannot_be_written_hides_no_regression(results: Path, stored: Path, heavier: Path) -> None:
    environment = {"GITHUB_STEP_SUMMARY": str(results / "no/such/directory/summary.md")}
    options = ("--baseline", stored, "--github")
    failing = run_in_process("check", "results", heavier, *options, environment=environment)
    passing = run_in_process("check", "results", results, *options, environment=environment)

    assert (failing.returncode, "FAIL" in failing.stdout) == (1, True)
    assert (passing.returncode, "PASS" in passing.stdout) == (2, True)
