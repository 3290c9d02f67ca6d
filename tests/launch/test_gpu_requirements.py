"""Requirements of cells on GPUs: checked for invented machines, and refused on this one if it has no GPU."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from liecbench.config.cell import Cell
from liecbench.config.loader import load_scenario
from liecbench.errors import MachineError
from liecbench.launch.gpu_requirements import Cuda, lacking_to_build, require_cuda
from liecbench.results.ledger import Ledger
from liecbench.results.records import Start
from tests.cli.in_process import run_in_process
from tests.ledgers import run_of, spec

ABLE = Cuda(torch="2.11.0", built=True, num_gpus=2, said="", nccl=True, triton=True, lacking=())
SCENARIO = """\
name: gpu
task: {dataset: digits, model: {name: mlp, width: 8, layers: 1}, batch_size: 32, epochs: 1, learning_rate: 0.1}
matrix: {algorithm: [ddp], workers: [2], link: [none, host]}
device: cuda
"""
NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")


def cell(**changes: Any) -> Cell:
    return Cell.from_spec(spec(**{"device": "cuda", **changes}))


def sign(**changes: Any) -> Cell:
    return cell(algorithm="liec", compressor={"name": "sign"}, server="sharded", **changes)


@pytest.mark.parametrize(
    ("lacking", "cell", "num_ranks", "message"),
    [
        (
            {"built": False, "num_gpus": 0},
            cell(),
            2,
            "device: cuda: torch 2.11.0 is built without CUDA; install a CUDA build of torch, or use device: cpu",
        ),
        (
            {"num_gpus": 0, "said": "CUDA initialization: Found no NVIDIA driver"},
            cell(backend="nccl"),
            2,
            "device: cuda: torch 2.11.0 sees no GPU here (CUDA initialization: Found no NVIDIA driver); "
            "`nvidia-smi` shows the driver's; a container needs --gpus all; or use device: cpu",
        ),
        (
            {"num_gpus": 0},
            cell(),
            2,
            "device: cuda: torch 2.11.0 sees no GPU here; "
            "`nvidia-smi` shows the driver's; a container needs --gpus all; or use device: cpu",
        ),
        (
            {"triton": False},
            sign(),
            2,
            "device: cuda: compressors compute with Triton there, which is not installed; pip install triton",
        ),
        (
            {"lacking": ("C compiler", "/include/Python.h")},
            sign(),
            2,
            "device: cuda: Triton builds its launcher of kernels here and finds no C compiler and no /include/Python.h"
            "; install gcc and python3-dev, or name another C compiler in CC",
        ),
        (
            {"nccl": False},
            cell(backend="nccl"),
            2,
            "backend: nccl: torch 2.11.0 is built without NCCL; install a build of torch that has it, "
            "or use backend: gloo",
        ),
        (
            {"num_gpus": 1},
            cell(backend="nccl"),
            2,
            "backend: nccl: ddp · 2 workers · 20mbit · seed 0: 2 ranks on this machine, which has 1 GPU; give fewer "
            "workers, use backend: gloo, whose ranks share GPUs, or try --share-gpus "
            "(experimental: NCCL does not support it)",
        ),
        (
            {},
            cell(backend="nccl", workers=6),
            3,
            "backend: nccl: ddp · 6 workers · 20mbit · seed 0: 3 ranks on this machine, which has 2 GPUs; give fewer "
            "workers, use backend: gloo, whose ranks share GPUs, or try --share-gpus "
            "(experimental: NCCL does not support it)",
        ),
    ],
)
def test_missing_software_is_reported_with_its_remedy(
    lacking: dict[str, Any], cell: Cell, num_ranks: int, message: str
) -> None:
    with pytest.raises(MachineError) as raised:
        dataclasses.replace(ABLE, **lacking).require(cell, num_ranks, share_gpus=False)

    assert message == str(raised.value)


@pytest.mark.parametrize(
    ("lacking", "cell", "num_ranks", "share_gpus"),
    [
        ({}, cell(backend="nccl"), 2, False),
        ({"num_gpus": 1}, cell(backend="nccl"), 2, True),
        ({"num_gpus": 1}, cell(backend="nccl"), 1, False),
        ({"num_gpus": 1, "nccl": False}, sign(), 2, False),
    ],
    ids=["a GPU each", "shared NCCL", "a rank of several machines", "shared Gloo"],
)
def test_software_may_be_missing_if_unused(
    lacking: dict[str, Any], cell: Cell, num_ranks: int, share_gpus: bool
) -> None:
    dataclasses.replace(ABLE, **lacking).require(cell, num_ranks, share_gpus=share_gpus)


@pytest.mark.parametrize(
    ("named", "there", "expected"),
    [
        (None, ["gcc"], []),
        (None, ["clang"], []),
        (None, ["cc"], ["C compiler"]),
        ("cc", ["cc"], []),
        ("icx", ["gcc"], ["C compiler CC=icx"]),
    ],
)
def test_the_compiler_is_the_one_that_triton_takes(
    named: str | None, there: list[str], expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in there:
        (tmp_path / name).touch(mode=0o755)
    (tmp_path / "Python.h").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda *_: str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    if named is not None:
        monkeypatch.setenv("CC", named)

    assert expected == list(lacking_to_build())


def test_pythons_headers_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", sys.executable)
    monkeypatch.setattr("sysconfig.get_path", lambda *_: str(tmp_path))

    assert [str(tmp_path / "Python.h")] == list(lacking_to_build())


def test_cells_on_the_cpu_need_nothing() -> None:
    require_cuda([cell(device="cpu"), sign(device="cpu")])


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(SCENARIO)
    return path


@NO_GPU
@pytest.mark.parametrize(
    "options",
    [
        ["--only", "link=none"],
        ["--set", "backend=nccl", "--share-gpus"],
        ["--only", "link=host", "--nodes", "2", "--node-rank", "1", "--master", "192.0.2.1"],
    ],
    ids=["gloo", "nccl", "another machine"],
)
def test_a_machine_without_gpus_refuses_before_anything_is_written(scenario: Path, options: list[str]) -> None:
    out = scenario.parent / "results"
    done = run_in_process("run", str(scenario), "--out", str(out), *options)
    said = f"liecbench: device: cuda: torch {torch.__version__} "

    assert (2, "", said, 1) == (done.returncode, done.stdout, done.stderr[: len(said)], done.stderr.count("\n"))
    assert [scenario] == list(scenario.parent.iterdir())


@NO_GPU
def test_the_same_place_takes_a_run_on_the_cpu_afterwards(scenario: Path) -> None:
    command = ["run", str(scenario), "--out", str(scenario.parent / "results"), "--only", "link=none"]
    refused = run_in_process(*command)
    done = run_in_process(*command, "--set", "device=cpu")

    assert (refused.returncode, done.returncode) == (2, 0), done.stderr


@NO_GPU
def test_a_paired_check_is_refused_as_well(scenario: Path) -> None:
    pair = [str(scenario), str(scenario)]
    done = run_in_process("check", "scenarios", *pair, "--only", "link=none", "--share-gpus")

    assert (done.returncode, "liecbench: device: cuda: torch" in done.stderr) == (2, True), done.stderr


def test_a_finished_directory_needs_no_gpu(scenario: Path) -> None:
    out = scenario.parent / "results"
    out.mkdir()
    with Ledger(out) as ledger:
        for cell in load_scenario(scenario, ["timing=end_to_end"]).cells():
            begun, *rest = run_of(cell.id)
            assert isinstance(begun, Start)
            for record in (dataclasses.replace(begun, spec=cell.spec()), *rest):
                ledger.append(record)
    done = run_in_process("run", str(scenario), "--out", str(out), "--set", "timing=end_to_end")

    assert (done.returncode, done.stderr) == (0, f"{out} exists: 2 of 2 cells are done\n")
    assert done.stdout.count("ddp *") == 2


@pytest.mark.parametrize("command", [["run", "--dry-run"], ["check", "scenarios", "{}"]], ids=["run", "check"])
def test_sharing_gpus_is_refused_where_no_cell_uses_nccl(scenario: Path, command: list[str]) -> None:
    words = [word.format(scenario) for word in [*command, "{}", "--set", "device=cpu", "--only", "link=none"]]
    done = run_in_process(*words, "--share-gpus")
    said = "liecbench: --share-gpus: no cell has backend: nccl, and ranks over Gloo share GPUs without it; remove it"

    assert (done.returncode, done.stderr) == (2, f"{said}\n")


@pytest.mark.skipif(torch.cuda.device_count() > 1, reason="this machine could run it")
def test_a_dry_run_needs_no_gpu_and_says_what_it_does_not_estimate(scenario: Path) -> None:
    out = scenario.parent / "results"
    done = run_in_process("run", str(scenario), "--out", str(out), "--set", "backend=nccl", "--dry-run")
    lines = done.stdout.splitlines()
    first = "launch 1: 1 cell to train, 2 workers, on GPUs over nccl, on the fastest connection that NCCL finds"

    assert done.returncode == 0
    # On a busy machine a note about other processes stands before it.
    assert " s without the time that GPUs compute" in lines[lines.index(first) + 2]
    assert " s in all without the time that GPUs compute, which is not estimated, " in lines[1]
    # Torch's CPU build, a machine without GPUs, or one with a single GPU.
    assert lines[2].startswith(("not on this machine: device: cuda: ", "not on this machine: backend: nccl: "))
    assert not out.exists()
