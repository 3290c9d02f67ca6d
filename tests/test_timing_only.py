"""A scenario whose task is a profile: its dry run, and commands on the results of such scenarios."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from liecbench.config.loader import load_scenario
from liecbench.host import cgroups
from liecbench.results.timing_record import Timing
from tests import break_even_ledger, profiles_of_tasks, replayed_results
from tests.cli.in_process import run_in_process
from tests.ledgers import dilated, write_ledger

SCENARIO = """\
name: timed
task: {profile: p.json}
matrix: {algorithm: [ddp, psgd], workers: [16], link: [1gbit]}
dilation: 16
"""


OF_16 = {"sent": [10] * 16, "received": [10] * 16}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a scenario, its profile and a results directory."""
    place = tmp_path_factory.mktemp("timed")
    (place / "s.yaml").write_text(SCENARIO)
    profiles_of_tasks.write(place / "p.json")
    write_ledger(place / "r", replayed_results.timed_only(16.0))
    return place


def test_a_dry_run_has_sessions_only(place: Path) -> None:
    done = run_in_process("run", place / "s.yaml", "--out", place / "new", "--dry-run")

    assert (done.returncode, done.stderr) == (0, "")
    assert "2 cells, 0 of them done" in done.stdout
    assert "launch 1: 2 cells to time, 16 workers" in done.stdout
    assert "timing session on 1gbit, replayed ×16: about" in done.stdout
    assert "epochs" not in done.stdout
    assert "share" not in done.stdout


def test_every_command_takes_the_results(place: Path) -> None:
    compared = run_in_process("compare", place / "r", "--format", "json")
    rows: list[dict[str, Any]] = json.loads(compared.stdout)["rows"]
    report = run_in_process("report", place / "r", "-o", place / "r.html")
    verified = run_in_process("verify", place / "r")

    assert (compared.returncode, report.returncode, verified.returncode) == (0, 0, 0)
    assert [(row["algorithm"], row["test_accuracy"], row["dilation"]) for row in rows] == [
        ("psgd", None, 16.0),
        ("ddp", None, 16.0),
        ("ddp", None, 16.0),
        ("psgd", None, 16.0),
    ]
    assert "not trained" in (place / "r.html").read_text(encoding="utf-8")


def test_a_baseline_of_them_passes_without_numbers_of_a_training(place: Path) -> None:
    written = run_in_process("baseline", place / "r", "-o", place / "b.json")
    same = run_in_process("check", "results", place / "r", "--baseline", place / "b.json", "--format", "json")
    content = json.loads((place / "b.json").read_text())
    metrics = {result["metric"] for result in json.loads(same.stdout)["findings"]}

    assert (written.returncode, same.returncode) == (0, 0), same.stderr
    assert {cell["epochs"][0]["test_accuracy"] for cell in content["cells"]} == {None}
    assert "payload_bytes" in metrics
    assert not {"test_accuracy", "train_loss", "first_steps", "messages"} & metrics


def test_a_comparison_of_code_needs_a_model(place: Path) -> None:
    done = run_in_process("check", "scenarios", place / "s.yaml", place / "s.yaml")

    assert done.returncode == 2
    assert "ranks sleep as long as the profile says, and a paired check times real code" in done.stderr


def test_a_run_of_cells_that_were_timed_has_nothing_left_also_from_the_stored_scenario(place: Path) -> None:
    cells = load_scenario(place / "s.yaml").cells()
    records = [dilated(record, 16.0) for cell in cells for record in break_even_ledger.timed(cell, placements=1)]
    of_16 = [dataclasses.replace(one, payload_bytes=OF_16) if isinstance(one, Timing) else one for one in records]
    write_ledger(place / "done", of_16)

    first = run_in_process("run", place / "s.yaml", "--out", place / "done")
    again = run_in_process("run", place / "done" / "scenario.yaml", "--out", place / "done")

    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    for done in (first, again):
        assert "2 of 2 cells are done" in done.stderr
        assert "not trained" in done.stdout


@pytest.mark.parametrize("begun", ["measured", "replayed"])
def test_a_run_goes_on_with_the_compute_that_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: str
) -> None:
    text = "task: {dataset: digits, model: mlp, batch_size: 32, epochs: 2, learning_rate: 0.1}\n"
    (tmp_path / "s.yaml").write_text(
        f"name: r\n{text}matrix: {{algorithm: [ddp, psgd], workers: [2], link: [10mbit]}}\n"
    )
    cells = load_scenario(tmp_path / "s.yaml", [f"compute={begun}"]).cells()
    write_ledger(tmp_path / "r", break_even_ledger.ledger(cells, placements=1))
    monkeypatch.setattr(cgroups, "num_cpus", lambda: 64 if begun == "replayed" else 2)  # another machine

    done = run_in_process("run", tmp_path / "s.yaml", "--out", tmp_path / "r")

    assert done.returncode == 0, done.stderr
    assert "2 of 2 cells are done" in done.stderr
    assert f"compute: {begun}\n" in (tmp_path / "r" / "scenario.yaml").read_text()
