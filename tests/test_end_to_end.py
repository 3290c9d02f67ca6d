import errno
import itertools
import json
import math
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Final

import pytest

from liecbench.results.records import End, Epoch, Record, Start
from tests.commands import run_command, running_command
from tests.namespace_support import WITHOUT_NAMESPACES, skip_without_namespaces
from tests.process_tree import Tree
from tests.recorded import epochs, numbers, records
from tests.waiting import TIMEOUT_SECONDS

ALGORITHMS: Final = ["ddp", "psgd", "memsgd", "doublesqueeze", "liec"]
COMPRESSED: Final = ["psgd", "memsgd", "doublesqueeze", "liec"]
PERIOD: Final = 4
EPOCHS: Final = 3
STEPS: Final = 1437 // (32 * 2)
RATE: Final = 20e6
BLOCK_BYTES: Final = 40_000
# Weights and biases in the order of the model: 64 pixels, two layers of 128, 10 classes.
TENSORS: Final = [64 * 128, 128, 128 * 128, 128, 128 * 10, 10]
SCENARIO: Final = f"""
name: end-to-end
task:
  dataset: digits
  model: {{name: mlp, width: 128, layers: 2}}
  batch_size: 32
  epochs: {EPOCHS}
  learning_rate: 0.1
matrix:
  algorithm: [ddp, psgd, memsgd, doublesqueeze, {{name: liec, average_period: {PERIOD}}}]
  compressor: [sign]
  workers: [2]
  link: [20mbit]
block_bytes: {BLOCK_BYTES}
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run."""

    scenario: Path
    directory: Path
    done: CompletedProcess[str]
    records: list[Record]
    mark: str

    def of(self, algorithm: str) -> list[Record]:
        cells = {r.cell for r in self.records if isinstance(r, Start) and r.spec["algorithm"]["name"] == algorithm}
        return [record for record in self.records if record.cell in cells]

    def epochs(self, algorithm: str) -> list[Epoch]:
        return [record for record in self.of(algorithm) if isinstance(record, Epoch)]


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenario") / "scenario.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture(scope="module")
def undisturbed(scenario: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    skip_without_namespaces()
    directory = tmp_path_factory.mktemp("run") / "results"
    tree = Tree()
    done = run_command(tree, "run", str(scenario), "--out", str(directory))
    assert done.returncode == 0, done.stderr
    return Run(scenario, directory, done, records(directory), tree.mark)


# ---- what was recorded


def test_every_cell_completed(undisturbed: Run) -> None:
    for algorithm in ALGORITHMS:
        kinds = [record.type for record in undisturbed.of(algorithm)]
        assert kinds == ["start", *["epoch"] * EPOCHS, "end"]
        (end,) = (record for record in undisturbed.of(algorithm) if isinstance(record, End))
        assert (end.status, end.error, end.attempt) == ("completed", None, 1)
        assert [(e.epoch, e.steps) for e in undisturbed.epochs(algorithm)] == [(i + 1, STEPS) for i in range(EPOCHS)]
    assert len({record.cell for record in undisturbed.records}) == len(ALGORITHMS)


def test_training_learns(undisturbed: Run) -> None:
    for algorithm in ALGORITHMS:
        losses = [epoch.train_loss for epoch in undisturbed.epochs(algorithm)]
        assert losses == sorted(losses, reverse=True)
        assert undisturbed.epochs(algorithm)[-1].test_accuracy > 0.5


def test_psgd_is_ddp(undisturbed: Run) -> None:
    for ours, theirs in zip(undisturbed.epochs("psgd"), undisturbed.epochs("ddp"), strict=True):
        assert ours.train_loss == pytest.approx(theirs.train_loss, rel=1e-4)


def test_only_liecs_models_differ_and_not_after_averaging(undisturbed: Run) -> None:
    for algorithm in ALGORITHMS:
        averaged = [algorithm != "liec" or (i + 1) * STEPS % PERIOD == 0 for i in range(EPOCHS)]
        assert [epoch.divergence == 0 for epoch in undisturbed.epochs(algorithm)] == averaged


def test_the_link_is_enforced(undisturbed: Run) -> None:
    for epoch in undisturbed.epochs("ddp"):
        assert epoch.wire_bytes is not None
        assert epoch.train_seconds > 0.9 * max(epoch.wire_bytes["sent"]) * 8 / RATE


def test_start_says_who_enforces_the_link_and_what_it_carries(undisturbed: Run) -> None:
    for start in (record for record in undisturbed.records if isinstance(record, Start)):
        link = start.environment["link"]
        assert (link["enforcement"], link["asked"]) == ("kernel", "20mbit")
        rates = [rank[f"{way}_bits_per_second"] for rank in link["measured"] for way in ("up", "down")]
        assert rates == pytest.approx([RATE] * 4, rel=0.15)  # what is farther off fails the cell
        assert link["congestion_control"] == "reno"


def test_nothing_of_the_environment_is_kept(undisturbed: Run) -> None:
    files = [path for path in undisturbed.directory.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"scenario.yaml", "records.jsonl", "launch-1.json", "launch-1.log"}
    for path in files:  # the mark stood in the environment of every process
        assert undisturbed.mark not in path.read_text()
    for start in (record for record in undisturbed.records if isinstance(record, Start)):
        assert not any(key.lower() in ("environ", "env", "path", "home") for key in start.environment)


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
    "liec": lambda step: [(_dense, _dense)] * 2 if (step + 1) % PERIOD == 0 else [(_signs, _signs)],
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
    """Of two ranks: each sends its part of the other's shard up, and its own shard down."""
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
def test_payload_is_what_the_definition_sends(undisturbed: Run, algorithm: str) -> None:
    for epoch in undisturbed.epochs(algorithm):
        assert epoch.payload_bytes == _payload(algorithm, epoch.epoch)


def test_liecs_epochs_average_five_and_six_times(undisturbed: Run) -> None:
    first, second, _ = (sum(epoch.payload_bytes["sent"]) for epoch in undisturbed.epochs("liec"))
    dense, signs = (sum(_payload(name, 1)["sent"]) / STEPS for name in ("psgd", "doublesqueeze"))
    assert second - first == 2 * dense - signs


def test_payload_of_ddp_is_an_all_reduce(undisturbed: Run) -> None:
    each_way = 2 * 1 * 4 * sum(TENSORS) * STEPS // 2
    for epoch in undisturbed.epochs("ddp"):
        assert epoch.payload_bytes == {"sent": [each_way] * 2, "received": [each_way] * 2}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_as_much_is_received_as_sent(undisturbed: Run, algorithm: str) -> None:
    for epoch in undisturbed.epochs(algorithm):
        assert sum(epoch.payload_bytes["sent"]) == sum(epoch.payload_bytes["received"])


@pytest.mark.parametrize("algorithm", ["ddp", "psgd"])
def test_wire_bytes_are_payload_and_headers(undisturbed: Run, algorithm: str) -> None:
    # Messages of 3 to 33 kB: headers 4.6 %, acknowledgements of the other direction 2 to 4 %, Gloo's own 1 %.
    for epoch in undisturbed.epochs(algorithm):
        assert epoch.wire_bytes is not None
        for way in ("sent", "received"):
            for wire, payload in zip(epoch.wire_bytes[way], epoch.payload_bytes[way], strict=True):
                assert 1.03 * payload < wire < 1.15 * payload


@pytest.mark.parametrize("algorithm", ["memsgd", "doublesqueeze", "liec"])
def test_wire_bytes_of_compressed_messages_stay_far_below_dense_ones(undisturbed: Run, algorithm: str) -> None:
    dense = undisturbed.epochs("psgd")[0].wire_bytes
    assert dense is not None
    for epoch in undisturbed.epochs(algorithm):
        assert epoch.wire_bytes is not None
        for way in ("sent", "received"):
            assert sum(epoch.payload_bytes[way]) < sum(epoch.wire_bytes[way]) < 0.75 * sum(dense[way])


# ---- what was printed


def test_stdout_is_the_table_and_stderr_the_progress(undisturbed: Run) -> None:
    header, rule, *rows = undisturbed.done.stdout.splitlines()
    assert header.split()[:3] == ["algorithm", "accuracy", "s/epoch"]
    assert set(rule) == {"─"}
    assert sorted(row.split()[0] for row in rows[: len(ALGORITHMS)]) == sorted(ALGORITHMS)
    assert "loss" not in undisturbed.done.stdout
    progress = [line for line in undisturbed.done.stderr.splitlines() if ": epoch " in line]
    assert len(progress) == EPOCHS * len(ALGORITHMS)
    assert all(line.startswith("[") and "loss" in line for line in progress)


def test_second_run_runs_nothing_and_prints_the_table(undisturbed: Run) -> None:
    ledger = undisturbed.directory / "records.jsonl"
    before = ledger.read_bytes()
    again = run_command(Tree(), "run", str(undisturbed.scenario), "--out", str(undisturbed.directory))
    assert again.returncode == 0
    assert again.stdout == undisturbed.done.stdout
    assert "5 of 5 cells are done" in again.stderr
    assert ledger.read_bytes() == before
    assert [path.name for path in (undisturbed.directory / "logs").iterdir() if path.suffix == ".log"] == [
        "launch-1.log"
    ]


def test_fresh_refuses_existing_results(undisturbed: Run) -> None:
    refused = run_command(Tree(), "run", str(undisturbed.scenario), "--out", str(undisturbed.directory), "--fresh")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--fresh" in refused.stderr


def test_only_selects_what_is_shown(undisturbed: Run) -> None:
    arguments = ["run", str(undisturbed.scenario), "--out", str(undisturbed.directory), "--only", "algorithm=liec"]
    done = run_command(Tree(), *arguments)
    assert done.returncode == 0
    shown = [line.split()[0] for line in done.stdout.splitlines()]
    assert "liec" in shown
    assert not set(shown) & (set(ALGORITHMS) - {"liec"})


def test_shaped_run_says_what_is_missing_where_namespaces_are_refused(scenario: Path, tmp_path: Path) -> None:
    skip_without_namespaces()
    arguments = ["run", str(scenario), "--out", str(tmp_path / "results")]
    refused = run_command(Tree(), *arguments, prefix=WITHOUT_NAMESPACES)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "the kernel refuses the network namespaces" in refused.stderr
    assert os.strerror(errno.ENOSPC) in refused.stderr
    assert "liecbench doctor" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert records(tmp_path / "results") == []


# ---- going on after a crash


@pytest.mark.parametrize("algorithm", ["ddp", "liec"])
def test_resumed_run_is_the_undisturbed_one_to_the_bit(undisturbed: Run, tmp_path: Path, algorithm: str) -> None:
    directory = tmp_path / "results"
    arguments = ["run", str(undisturbed.scenario), "--out", str(directory), "--only", f"algorithm={algorithm}"]
    with running_command(tmp_path, *arguments, "--quiet") as command:
        command.wait_for(lambda: epochs(directory), "the first epoch is recorded")
        command.process.send_signal(signal.SIGKILL)
        command.process.wait(TIMEOUT_SECONDS)
        command.tree.assert_gone(set())
    num_before = len(epochs(directory))
    assert 1 <= num_before < EPOCHS, "it was killed in the middle"
    resumed = run_command(Tree(), *arguments)
    assert resumed.returncode == 0, resumed.stderr
    assert "0 of 1 cells are done" in resumed.stderr
    found, expected = epochs(directory), undisturbed.epochs(algorithm)
    assert [(e.epoch, e.attempt) for e in found] == [(i + 1, 1 if i < num_before else 2) for i in range(EPOCHS)]
    assert [json.dumps(numbers(e)) for e in found] == [json.dumps(numbers(e)) for e in expected]
    assert {record.cell for record in records(directory)} == {expected[0].cell}
    assert [r.status for r in records(directory) if isinstance(r, End)] == ["completed"]
    assert not list((directory / "checkpoints").iterdir())


# ---- a launch for every cell


def test_isolated_cells_are_those_of_a_shared_launch(undisturbed: Run, tmp_path: Path) -> None:
    directory = tmp_path / "results"
    algorithms = ["psgd", "memsgd"]
    only = [word for algorithm in algorithms for word in ("--only", f"algorithm={algorithm}")]
    done = run_command(Tree(), "run", str(undisturbed.scenario), "--out", str(directory), "--isolate", *only)
    assert done.returncode == 0, done.stderr
    assert len(list((directory / "logs").glob("launch-*.log"))) == len(algorithms)
    for algorithm in algorithms:
        shared = undisturbed.epochs(algorithm)
        isolated = epochs(directory, shared[0].cell)
        assert [numbers(e) for e in isolated] == [numbers(e) for e in shared]
