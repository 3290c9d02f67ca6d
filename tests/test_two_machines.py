"""Runs on two machines: each is a network namespace of this one."""

import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from liecbench.results.records import End, Epoch, Start
from tests.cli.in_process import run_in_process
from tests.machines import ON_TWO_MACHINES
from tests.namespace_support import skip_without_namespaces
from tests.process_tree import ROOT, Tree
from tests.recorded import records
from tests.test_link_runs import SCENARIO

WORKERS: Final = 2

MATRIX: Final[dict[str, Any]] = {"algorithm": ["ddp", "liec"], "compressor": "sign", "workers": WORKERS, "link": "host"}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nodes") / "scenario.yaml"
    path.write_text(yaml.safe_dump({**SCENARIO, "matrix": MATRIX}))
    return path


@pytest.fixture(scope="module")
def run(scenario: Path) -> subprocess.CompletedProcess[str]:
    skip_without_namespaces()
    tree = Tree()
    try:
        return subprocess.run(
            [*ON_TWO_MACHINES, "run", str(scenario), str(scenario.parent / "results")],
            cwd=ROOT,
            env=tree.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
    finally:
        tree.end()


def test_two_machines_train_together(run: subprocess.CompletedProcess[str], scenario: Path) -> None:
    assert run.returncode == 0, run.stderr
    found = records(scenario.parent / "results-0")
    assert [record.status for record in found if isinstance(record, End)] == ["completed"] * 2
    assert "launch 1: 1 of 2 workers here" in run.stderr
    assert not (scenario.parent / "results-1" / "records.jsonl").exists()


def test_the_wire_between_them_carried_the_payload(run: subprocess.CompletedProcess[str], scenario: Path) -> None:
    assert run.returncode == 0, run.stderr
    for record in records(scenario.parent / "results-0"):
        if isinstance(record, Start):
            link = record.environment.link
            assert link is not None
            assert (link.enforcement, link.asked, link.measured) == ("none", "host", None)
        if isinstance(record, Epoch):
            assert record.wire_bytes is not None
            for way in ("sent", "received"):
                for payload, wire in zip(record.payload_bytes[way], record.wire_bytes[way], strict=True):
                    assert payload <= wire < 1.5 * payload + 20_000


def test_one_machine_trains_on_its_own_network_with_the_same_numbers(
    run: subprocess.CompletedProcess[str], scenario: Path, tmp_path: Path
) -> None:
    assert run.returncode == 0, run.stderr
    alone = run_in_process("run", str(scenario), "--out", str(tmp_path / "alone"))
    assert alone.returncode == 0, alone.stderr
    losses = [
        [record.train_loss for record in records(directory) if isinstance(record, Epoch)]
        for directory in (tmp_path / "alone", scenario.parent / "results-0")
    ]
    assert losses[0] == losses[1]


def test_no_checkpoint_stays_on_either(run: subprocess.CompletedProcess[str], scenario: Path) -> None:
    assert run.returncode == 0, run.stderr
    assert not [path for place in (0, 1) for path in (scenario.parent / f"results-{place}").rglob("*.pt")]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--nodes", "2"], "--nodes 2: the address of the first machine is missing"),
        (["--nodes", "2", "--master", "a", "--node-rank", "2"], "--node-rank 2: not one of 2 machines"),
        (["--nodes", "2", "--master", "a:port"], "--master a:port: not an address"),
        (["--nodes", "3", "--master", "a"], "2 workers do not divide among them"),
        (["--nodes", "2", "--master", "a", "--set", "matrix.link=20mbit"], "only link: host reaches other machines"),
        (["--nodes", "2", "--master", "192.0.2.1"], "--master 192.0.2.1:29400: Cannot assign requested address"),
    ],
)
def test_mistakes_are_named(scenario: Path, tmp_path: Path, options: list[str], reason: str) -> None:
    done = run_in_process("run", str(scenario), "--out", str(tmp_path / "results"), *options)

    assert (done.returncode, reason in done.stderr) == (2, True), done.stderr


def test_a_dry_run_of_any_machine_runs_nothing(scenario: Path, tmp_path: Path) -> None:
    place = ["--nodes", "2", "--node-rank", "1", "--master", "192.0.2.1"]
    done = run_in_process("run", str(scenario), "--out", str(tmp_path / "results"), *place, "--dry-run")

    assert done.returncode == 0, done.stderr
    assert "on the network of 2 machines" in done.stdout
    assert "--nnodes=2 --nproc-per-node=1" in done.stdout
