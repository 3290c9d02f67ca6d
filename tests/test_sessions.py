"""Timing sessions that lose a process: a contestant that fails loses no other, and rounds are kept."""

import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from liecbench.config.cell_keys import contestant_key
from liecbench.config.loader import load_scenario
from liecbench.results.cells import replay
from liecbench.results.ledger_reader import read
from liecbench.results.records import End, Start
from tests import disturbed
from tests.break_even_ledger import ledger, timed, trained
from tests.cli.in_process import run_in_process
from tests.commands import running_command
from tests.ledgers import write_ledger
from tests.namespace_support import skip_without_namespaces
from tests.recorded import epochs, records, timings
from tests.short_sessions import SHORT_SESSIONS, also_import, shorten
from tests.waiting import TIMEOUT_SECONDS, wait_for

SCENARIO: Final = """
name: sessions
timing_precision: 1
task: {dataset: digits, model: {name: mlp, width: 16, layers: 1}, batch_size: 64, epochs: 1, learning_rate: 0.1}
matrix: {algorithm: [psgd, ddp], workers: [2], link: [20mbit], seed: [0, 1]}
"""
CONTESTANTS: Final = 2
SEEDS: Final = 2


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    skip_without_namespaces()
    path = tmp_path / "sessions.yaml"
    path.write_text(SCENARIO)
    return path


def rounds(directory: Path) -> set[tuple[int, int]]:
    return {(burst.placement, burst.round) for burst in timings(directory)}


def test_a_killed_rank_fails_the_contestant_whose_turn_it_was(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "results"
    shorten(monkeypatch)

    def kill() -> None:
        wait_for(lambda: rounds(directory), "a round is timed")
        os.kill(disturbed.ranks()[0], signal.SIGKILL)

    done = disturbed.run_disturbed(kill, "run", scenario, "--out", directory)
    assert done.returncode == 5, done.stderr
    names = {r.cell: r.spec["algorithm"]["name"] for r in records(directory) if isinstance(r, Start)}
    cells = [cell for cell in replay(read(directory)).values() if cell.is_interleaved]
    failed = {names[cell.id] for cell in cells if cell.status == "failed"}
    completed = {names[cell.id] for cell in cells if cell.status == "completed"}

    assert (len(failed), failed | completed, len(cells)) == (1, {"psgd", "ddp"}, CONTESTANTS * SEEDS)
    assert len(epochs(directory)) == CONTESTANTS * SEEDS  # of trajectories, none of which is trained again
    assert all("SIGKILL" in (cell.error or "") for cell in cells if cell.status == "failed")


def test_a_baseline_that_was_timed_before_and_dies_fails_the_cells_that_need_it(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "results"
    also_import(monkeypatch, "tests.ranks_without_baseline")
    scenario.write_text(SCENARIO + "compute: measured\n")
    cells = load_scenario(scenario).cells()
    before = [record for cell in cells for record in trained(cell.trajectory)]
    before += [record for cell in cells if cell.algorithm.name == "ddp" for record in timed(cell)]
    write_ledger(directory, before)
    done = run_in_process("run", str(scenario), "--out", str(directory))
    after = list(read(directory))[len(before) :]

    assert done.returncode == 5, done.stderr
    # One launch: a start and an end of each seed's cell.
    assert Counter((type(record).__name__, getattr(record, "attempt", 0)) for record in after) == {
        ("Start", 1): SEEDS,
        ("End", 1): SEEDS,
    }
    assert all("SIGKILL" in (record.error or "") for record in after if isinstance(record, End))


def test_an_interrupted_session_says_that_it_starts_anew(scenario: Path, tmp_path: Path) -> None:
    directory = tmp_path / "results"
    scenario.write_text(SCENARIO + "compute: measured\n")

    def interrupt() -> None:
        wait_for(lambda: rounds(directory), "a round is timed")
        os.kill(os.getpid(), signal.SIGINT)

    done = disturbed.run_disturbed(interrupt, "run", scenario, "--out", directory)

    assert done.returncode == 130, done.stderr
    kept = f"interrupted; every finished epoch is kept in {directory}, but the timing session starts anew"
    assert done.stderr.splitlines()[-1] == f"{kept}. To continue: liecbench run {scenario} --out {directory}"

    compared = " ".join(run_in_process("compare", directory).stdout.split())
    again = f"`liecbench run {directory}/scenario.yaml --out {directory}` goes on"
    assert f"{directory} is not finished: it lacks the timing on 20mbit; {again}" in compared


def test_rounds_of_a_killed_command_are_kept_and_a_new_placement_begins(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "results"
    shorten(monkeypatch)
    arguments = ["run", str(scenario), "--out", str(directory)]
    with running_command(tmp_path, *arguments, prefix=SHORT_SESSIONS) as command:
        command.wait_for(lambda: rounds(directory), "a round is timed")
        command.process.send_signal(signal.SIGKILL)
        command.process.wait(TIMEOUT_SECONDS)
        command.tree.assert_gone(set())
    before, trained = timings(directory), epochs(directory)
    again = run_in_process("run", str(scenario), "--out", str(directory), "--quiet")
    after = timings(directory)

    assert (again.returncode, after[: len(before)], epochs(directory)) == (0, before, trained)
    assert min(burst.placement for burst in after[len(before) :]) == 1 + max(burst.placement for burst in before)
    ends = Counter(record.status for record in records(directory) if isinstance(record, End))
    assert ends == {"completed": 2 * CONTESTANTS * SEEDS}
    more = run_in_process("run", str(scenario), "--out", str(directory), "--quiet", "--set", "matrix.seed=[0,1,2]")
    assert (more.returncode, timings(directory)) == (0, after)  # a further seed is trained, and not timed again
    assert len(epochs(directory)) == CONTESTANTS * (SEEDS + 1)


def test_a_run_of_finished_cells_times_the_rate_that_narrows_a_break_even(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch)
    directory = tmp_path / "results"
    scenario.write_text(
        SCENARIO.replace("link: [20mbit]", "link: [10mbit, 100mbit]").replace("timing_precision: 1", "")
        + "break_even_rates: 1\ntiming_precision: 0.5\n"
    )
    cells = load_scenario(scenario).cells()
    write_ledger(directory, ledger(cells))
    arguments = ("run", str(scenario), "--out", str(directory))
    planned = run_in_process(*arguments, "--dry-run")
    done = run_in_process(*arguments)
    # Near the break-even, at 50 Mbit/s, nothing can be shown with this precision: exp(−1.75 × 0.5) × 50 = 20.8.
    bursts = [burst for burst in timings(directory) if burst.payload_bytes["sent"] != [10, 10]]
    added = [cell for cell in replay(read(directory)).values() if cell.is_added]

    # One rate of one method: 15 s each for the method and the baseline.
    assert "break-even: timing goes on at 20.8mbit (at most about 30 s, not estimated above; " in planned.stdout
    assert (done.returncode, "break-even: timing at 20.8mbit" in done.stderr) == (0, True), done.stderr
    assert {(cell.spec["link"], cell.spec["seed"], cell.status) for cell in added} == {
        ("20.8mbit", seed, "completed") for seed in range(SEEDS)
    }
    assert {burst.contestant for burst in bursts} == {contestant_key(cell.spec) for cell in added}
    compared = json.loads(run_in_process("compare", directory, "--format", "json").stdout)
    assert {row["link"] for row in compared["rows"]} == {"10mbit", "100mbit"}  # an added rate has no row
    (found,) = compared["break_even"]
    assert len(found["added_bits_per_second"]) == 1  # the verdict may or may not be able to tell which side it is on


def test_an_added_rate_whose_link_fails_its_check_fails_the_run(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch)
    monkeypatch.setattr("tests.break_even_ledger.CROSSING", 28e9)  # no delay line reaches such rates
    directory = tmp_path / "results"
    scenario.write_text(
        SCENARIO.replace("link: [20mbit]", "link: [24gbit, 32gbit]").replace("precision: 1", "precision: 0.02")
        + "compute: measured\nemulator: delay_line\n"  # in dilated time, links would reach these rates
    )
    write_ledger(directory, ledger(load_scenario(scenario).cells()))
    done = run_in_process("run", str(scenario), "--out", str(directory))
    (failed,) = {cell.spec["link"] for cell in replay(read(directory)).values() if cell.status == "failed"}

    assert done.returncode == 5, done.stderr
    assert f"psgd: added rates that gave no speed-up: {failed}" in done.stdout
    assert "the link is off by more than 15%" in " ".join(done.stdout.split())
