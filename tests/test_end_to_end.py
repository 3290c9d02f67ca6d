import errno
import itertools
import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from liecbench.results.records import End, Start
from tests.cli.in_process import run_in_process
from tests.commands import run_command, running_command
from tests.finished_run import (
    ALGORITHMS,
    AVERAGE_PERIOD,
    BATCH_SIZE,
    BLOCK_BYTES,
    EPOCHS,
    RATE,
    SCENARIO,
    WORKERS,
    FinishedRun,
)
from tests.namespace_support import WITHOUT_NAMESPACES, skip_without_namespaces
from tests.process_tree import Tree
from tests.recorded import epochs, numbers, records
from tests.waiting import TIMEOUT_SECONDS, wait_for

COMPRESSED: Final = ["psgd", "memsgd", "doublesqueeze", "liec"]
STEPS: Final = 1437 // (BATCH_SIZE * WORKERS)
# Weights and biases in the order of the model: 64 pixels, two layers of 128, 10 classes.
TENSORS: Final = [64 * 128, 128, 128 * 128, 128, 128 * 10, 10]


def test_the_run_succeeds(finished_run: FinishedRun) -> None:
    assert finished_run.returncode == 0, finished_run.stderr


# ---- what was recorded


def test_every_cell_completed(finished_run: FinishedRun) -> None:
    for algorithm in ALGORITHMS:
        kinds = [record.type for record in finished_run.records_of(algorithm)]
        assert kinds == ["start", *["epoch"] * EPOCHS, "end"]
        (end,) = (record for record in finished_run.records_of(algorithm) if isinstance(record, End))
        assert (end.status, end.error, end.attempt) == ("completed", None, 1)
        assert [(e.epoch, e.steps) for e in finished_run.epochs_of(algorithm)] == [
            (i + 1, STEPS) for i in range(EPOCHS)
        ]
    assert len({record.cell for record in finished_run.records()}) == len(ALGORITHMS)


def test_training_learns(finished_run: FinishedRun) -> None:
    for algorithm in ALGORITHMS:
        losses = [epoch.train_loss for epoch in finished_run.epochs_of(algorithm)]
        assert losses == sorted(losses, reverse=True)
        assert finished_run.epochs_of(algorithm)[-1].test_accuracy > 0.5


def test_psgd_trains_like_ddp(finished_run: FinishedRun) -> None:
    for ours, theirs in zip(finished_run.epochs_of("psgd"), finished_run.epochs_of("ddp"), strict=True):
        assert ours.train_loss == pytest.approx(theirs.train_loss, rel=1e-4)


def test_only_liecs_models_differ_and_only_between_averaging_steps(finished_run: FinishedRun) -> None:
    for algorithm in ALGORITHMS:
        averaged = [algorithm != "liec" or (i + 1) * STEPS % AVERAGE_PERIOD == 0 for i in range(EPOCHS)]
        assert [epoch.divergence == 0 for epoch in finished_run.epochs_of(algorithm)] == averaged


def test_the_link_is_enforced(finished_run: FinishedRun) -> None:
    for epoch in finished_run.epochs_of("ddp"):
        assert epoch.wire_bytes is not None
        assert epoch.train_seconds > 0.9 * max(epoch.wire_bytes["sent"]) * 8 / RATE


def test_start_records_the_links_enforcement_and_measurement(finished_run: FinishedRun) -> None:
    for start in (record for record in finished_run.records() if isinstance(record, Start)):
        link = start.environment.link
        assert link is not None
        assert link.measured is not None
        assert (link.enforcement, link.asked) == ("kernel", "20mbit")
        rates = [rate for rank in link.measured for rate in (rank.up_bits_per_second, rank.down_bits_per_second)]
        assert rates == pytest.approx([RATE] * 4, rel=0.15)  # a larger deviation fails the cell
        assert link.congestion_control == "reno"


def test_no_environment_variable_is_recorded(finished_run: FinishedRun) -> None:
    files = [path for path in finished_run.directory.rglob("*") if path.is_file()]
    traces = {f"{record.cell}.json" for record in finished_run.records()}
    assert {path.name for path in files} == {
        *("scenario.yaml", "cells.json", "records.jsonl", "launch-1.json", "launch-1.log"),
        *traces,
    }
    for path in files:  # the mark was in the environment of every process
        assert finished_run.mark not in path.read_text()
    for start in (record for record in finished_run.records() if isinstance(record, Start)):
        assert not any(key.lower() in ("environ", "env", "path", "home") for key in start.environment.as_dict())


# ---- bytes, from the definitions


def _dense(num_elements: int) -> int:
    return 4 * num_elements


def _signs(num_elements: int) -> int:
    return 4 + math.ceil(num_elements / 8)


Size = Callable[[int], int]
# Up and down of each exchange that a step makes.
EXCHANGES: Final[dict[str, Callable[[int], list[tuple[Size, Size]]]]] = {
    "psgd": lambda _: [(_dense, _dense)],
    "memsgd": lambda _: [(_signs, _dense)],
    "doublesqueeze": lambda _: [(_signs, _signs)],
    "liec": lambda step: [(_dense, _dense)] * 2 if (step + 1) % AVERAGE_PERIOD == 0 else [(_signs, _signs)],
}


def _blocks() -> list[int]:
    blocks: list[list[int]] = [[]]
    for numel in reversed(TENSORS):
        if blocks[-1] and 4 * (sum(blocks[-1]) + numel) > BLOCK_BYTES:
            blocks.append([])
        blocks[-1].append(numel)
    return [sum(block) for block in blocks]


def _shards(numel: int) -> list[int]:
    first = math.ceil(math.ceil(numel / 2) / 8) * 8
    return [first, numel - first]


def _payload(algorithm: str, epoch: int) -> dict[str, list[int]]:
    """Return payload bytes of two ranks: each sends its part of the other's shard up, and its own shard down."""
    sent, received = [0, 0], [0, 0]
    steps = range((epoch - 1) * STEPS, epoch * STEPS)
    for step, numel in itertools.product(steps, _blocks()):
        for up, down in EXCHANGES[algorithm](step):
            shards = _shards(numel)
            for rank, other in ((0, 1), (1, 0)):
                sent[rank] += up(shards[other]) + down(shards[rank])
                received[rank] += up(shards[rank]) + down(shards[other])
    return {"sent": sent, "received": received}


def test_scenario_has_uneven_shards_and_several_blocks() -> None:
    assert _blocks() == [1418, 16384, 8320]
    assert _shards(1418) == [712, 706]


@pytest.mark.parametrize("algorithm", COMPRESSED)
def test_payload_follows_from_the_algorithms_definition(finished_run: FinishedRun, algorithm: str) -> None:
    for epoch in finished_run.epochs_of(algorithm):
        assert epoch.payload_bytes == _payload(algorithm, epoch.epoch)


def test_liecs_first_two_epochs_have_five_and_six_averaging_steps(finished_run: FinishedRun) -> None:
    first, second, _ = (sum(epoch.payload_bytes["sent"]) for epoch in finished_run.epochs_of("liec"))
    dense, signs = (sum(_payload(name, 1)["sent"]) / STEPS for name in ("psgd", "doublesqueeze"))
    assert second - first == 2 * dense - signs


def test_payload_of_ddp_is_an_all_reduce(finished_run: FinishedRun) -> None:
    each_way = 2 * 1 * 4 * sum(TENSORS) * STEPS // 2
    for epoch in finished_run.epochs_of("ddp"):
        assert epoch.payload_bytes == {"sent": [each_way] * 2, "received": [each_way] * 2}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_received_bytes_sum_to_sent_bytes(finished_run: FinishedRun, algorithm: str) -> None:
    for epoch in finished_run.epochs_of(algorithm):
        assert sum(epoch.payload_bytes["sent"]) == sum(epoch.payload_bytes["received"])


@pytest.mark.parametrize("algorithm", ["ddp", "psgd"])
def test_wire_bytes_are_payload_and_headers(finished_run: FinishedRun, algorithm: str) -> None:
    # Messages of 3 to 33 kB: headers 4.6 %, acknowledgements of the other direction 2 to 4 %, Gloo's own 1 %.
    for epoch in finished_run.epochs_of(algorithm):
        assert epoch.wire_bytes is not None
        for way in ("sent", "received"):
            for wire, payload in zip(epoch.wire_bytes[way], epoch.payload_bytes[way], strict=True):
                assert 1.03 * payload < wire < 1.15 * payload


@pytest.mark.parametrize("algorithm", ["memsgd", "doublesqueeze", "liec"])
def test_wire_bytes_of_compressed_messages_stay_far_below_dense_ones(finished_run: FinishedRun, algorithm: str) -> None:
    dense = finished_run.epochs_of("psgd")[0].wire_bytes
    assert dense is not None
    for epoch in finished_run.epochs_of(algorithm):
        assert epoch.wire_bytes is not None
        for way in ("sent", "received"):
            assert sum(epoch.payload_bytes[way]) < sum(epoch.wire_bytes[way]) < 0.75 * sum(dense[way])


# ---- what was printed


def test_the_table_goes_to_stdout_and_progress_to_stderr(finished_run: FinishedRun) -> None:
    lines = finished_run.stdout.splitlines()
    (heading,) = [number for number, line in enumerate(lines) if line.startswith("method")]
    assert lines[heading].split() == ["method", "accuracy", "speed-up"]
    assert set(lines[heading + 1]) == {"─"}
    rows = lines[heading + 2 : heading + 2 + len(ALGORITHMS)]
    assert sorted(row.split()[0] for row in rows) == sorted(ALGORITHMS)
    assert "loss" not in finished_run.stdout
    progress = [line for line in finished_run.stderr.splitlines() if ": epoch " in line]
    assert len(progress) == EPOCHS * len(ALGORITHMS)
    assert all(line.startswith("[") and "loss" in line for line in progress)


def test_a_second_run_trains_nothing_and_prints_the_table(finished_run: FinishedRun, tmp_path: Path) -> None:
    directory = finished_run.copy(tmp_path)
    before = (directory / "records.jsonl").read_bytes()
    again = run_in_process("run", str(finished_run.scenario), "--out", str(directory))
    assert again.returncode == 0
    # A command in the verdict has the directory's path, so that lines may break elsewhere.
    assert again.stdout.replace(str(directory), str(finished_run.directory)).split() == finished_run.stdout.split()
    assert "5 of 5 cells are done" in again.stderr
    assert (directory / "records.jsonl").read_bytes() == before
    assert [path.name for path in (directory / "logs").iterdir() if path.suffix == ".log"] == ["launch-1.log"]


def test_fresh_refuses_existing_results(finished_run: FinishedRun, tmp_path: Path) -> None:
    directory = str(finished_run.copy(tmp_path))
    refused = run_in_process("run", str(finished_run.scenario), "--out", directory, "--fresh")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--fresh" in refused.stderr


def test_only_selects_the_rows_of_the_table(finished_run: FinishedRun, tmp_path: Path) -> None:
    arguments = [
        "run",
        str(finished_run.scenario),
        "--out",
        str(finished_run.copy(tmp_path)),
        "--only",
        "algorithm=liec",
    ]
    done = run_in_process(*arguments)
    assert done.returncode == 0
    shown = [line.split()[0] for line in done.stdout.splitlines()]
    assert "liec" in shown
    assert not set(shown) & (set(ALGORITHMS) - {"liec"})


def test_a_shaped_run_explains_refused_namespaces(tmp_path: Path) -> None:
    skip_without_namespaces()
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(SCENARIO)
    arguments = ["run", str(scenario), "--out", str(tmp_path / "results")]
    refused = run_command(Tree(), *arguments, prefix=WITHOUT_NAMESPACES)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "the kernel refuses the network namespaces" in refused.stderr
    assert os.strerror(errno.ENOSPC) in refused.stderr
    assert "liecbench doctor" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert records(tmp_path / "results") == []


# ---- resuming after a crash


def _kill_after_an_epoch(scratch: Path, results: Path, *arguments: str) -> None:
    with running_command(scratch, *arguments, "--quiet") as command:
        wait_for(lambda: epochs(results) or command.process.poll() is not None, "the first epoch is recorded")
        command.process.kill()
        command.process.wait(TIMEOUT_SECONDS)
        command.tree.assert_gone(set())


@pytest.mark.parametrize("algorithm", [pytest.param("ddp", marks=pytest.mark.long), "liec"])
def test_a_resumed_run_equals_an_undisturbed_one_to_the_bit(
    finished_run: FinishedRun, tmp_path: Path, algorithm: str
) -> None:
    directory = tmp_path / "results"
    arguments = ["run", str(finished_run.scenario), "--out", str(directory), "--only", f"algorithm={algorithm}"]
    for _ in range(5):  # on a busy machine the first epoch may be seen when the last one is over
        shutil.rmtree(directory, ignore_errors=True)
        _kill_after_an_epoch(tmp_path, directory, *arguments)
        num_before = len(epochs(directory))
        if num_before < EPOCHS:
            break
    assert 1 <= num_before < EPOCHS, "the run was killed before its last epoch"
    resumed = run_in_process(*arguments)
    assert resumed.returncode == 0, resumed.stderr
    assert "0 of 1 cells are done" in resumed.stderr
    found, expected = epochs(directory), finished_run.epochs_of(algorithm)
    assert [(e.epoch, e.attempt) for e in found] == [(i + 1, 1 if i < num_before else 2) for i in range(EPOCHS)]
    assert [json.dumps(numbers(e)) for e in found] == [json.dumps(numbers(e)) for e in expected]
    assert {record.cell for record in records(directory)} == {expected[0].cell}
    assert [r.status for r in records(directory) if isinstance(r, End)] == ["completed"]
    assert not list((directory / "checkpoints").iterdir())


# ---- a launch per cell


def test_isolated_cells_have_the_numbers_of_a_shared_launch(finished_run: FinishedRun, tmp_path: Path) -> None:
    directory = tmp_path / "results"
    algorithms = ["memsgd", "doublesqueeze"]  # compressed, so quickly trained
    only = [word for algorithm in algorithms for word in ("--only", f"algorithm={algorithm}")]
    done = run_in_process("run", str(finished_run.scenario), "--out", str(directory), "--isolate", *only)
    assert done.returncode == 0, done.stderr
    assert len(list((directory / "logs").glob("launch-*.log"))) == len(algorithms)
    for algorithm in algorithms:
        shared = finished_run.epochs_of(algorithm)
        isolated = epochs(directory, shared[0].cell)
        assert [numbers(e) for e in isolated] == [numbers(e) for e in shared]
