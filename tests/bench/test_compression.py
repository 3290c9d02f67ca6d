import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from liecbench.bench import compression
from liecbench.bench.benchmark_result import BenchmarkRow
from liecbench.config import registry
from liecbench.errors import MachineError

SIZE = 4096
CPU = torch.device("cpu")
OPERATIONS = ["compress", "compress_apart", "decompress", "decompress_accumulate", "sum_messages"]
PLUGIN = """
from dataclasses import dataclass
from liecbench.compressors import Sign

@dataclass(frozen=True)
class Broken(Sign):
    def encode(self, vector, payload, residual):
        raise ArithmeticError("it does not add up")

@dataclass(frozen=True)
class Choosy(Sign):
    level: int
"""
ENTRIES = "[liecbench.compressors]\nbroken = theirs:Broken\nchoosy = theirs:Choosy\n"


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def rows(said: list[str]) -> list[BenchmarkRow]:
    findings = compression.measure(SIZE, said.append, CPU)
    assert findings.failures == ()
    return list(findings.rows)


def test_every_compressor_has_every_operation(rows: list[BenchmarkRow], said: list[str]) -> None:
    names = registry.names("compressor")
    pairs = list(itertools.product(names, OPERATIONS))

    assert (pairs, [f"{name} ({i}/{len(names)})" for i, name in enumerate(names, start=1)]) == (
        [(row.name, row.operation) for row in rows],
        said,
    )


def test_every_row_has_its_limit(rows: list[BenchmarkRow]) -> None:
    for row in rows:
        assert row.size == SIZE
        assert row.seconds > 0
        assert row.limit_seconds > 0
        assert row.ratio == row.seconds / row.limit_seconds


def test_bits_are_those_of_the_message(rows: list[BenchmarkRow]) -> None:
    bits = {row.name: row.bits_per_parameter for row in rows}

    # Sign: a float32 scale and a bit each. Random 1 %: 41 values and no position.
    assert (bits["sign"], bits["identity"], bits["random_k"]) == (1 + 32 / SIZE, 32, 41 * 32 / SIZE)


def test_the_number_of_threads_is_restored_afterwards() -> None:
    seen: list[int] = []
    torch.set_num_threads(2)
    try:
        compression.measure(8, lambda _: seen.append(torch.get_num_threads()), CPU)
        after = torch.get_num_threads()
    finally:
        torch.set_num_threads(1)

    assert ({1}, 2) == (set(seen), after)


def test_a_size_beyond_the_memory_is_refused() -> None:
    with pytest.raises(MachineError, match=r"--size \d+ needs about \d+.* GB of memory, .*; give a smaller --size"):
        compression.measure(10**13, print, CPU)


def test_a_size_beyond_the_gpus_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _: (6 * 10**9, 80 * 10**9))
    said = r"--size 130000000 needs about 6\.3 GB of the GPU's memory, and 6\.0 GB are available; give a smaller --size"

    with pytest.raises(MachineError, match=said):
        compression.measure(130_000_000, print, torch.device("cuda"))


class SlowGpu:
    """A GPU that runs its work in order, and a host that takes a second to launch each piece."""

    def __init__(self, *, waits: bool = False) -> None:
        self.now, self.idle_from, self.reads, self.waits = 0.0, 0.0, 0, waits

    def launch(self, seconds: float) -> None:
        self.now += 1.0
        self.idle_from = max(self.idle_from, self.now) + seconds

    def read(self) -> None:
        self.reads += 1
        self.launch(4.0)

    def act(self) -> None:
        """Launch five kernels that take little of the GPU's time."""
        self.now = max(self.now, self.idle_from) if self.waits else self.now
        for _ in range(5):
            self.launch(0.5)

    def event(self, *, enable_timing: bool) -> "SlowEvent":
        return SlowEvent(self)


class SlowEvent:
    def __init__(self, gpu: SlowGpu) -> None:
        self.gpu, self.at = gpu, 0.0

    def record(self) -> None:
        self.at = max(self.gpu.idle_from, self.gpu.now)

    def query(self) -> bool:
        return self.at <= self.gpu.now

    def synchronize(self) -> None:
        self.gpu.now = max(self.gpu.now, self.at)

    def elapsed_time(self, end: "SlowEvent") -> float:
        return (end.at - self.at) * 1e3


@pytest.mark.parametrize(
    ("waits", "seconds", "reads"), [(False, 2.5, [1 + 2, 2]), (True, 5.5, [127, 64])], ids=["launches", "waits"]
)
def test_the_gpus_time_excludes_the_hosts_launches(
    monkeypatch: pytest.MonkeyPatch, waits: bool, seconds: float, reads: list[int]
) -> None:
    """One read of 4 s is over before a launch of 5 s; of two reads 3 s are left when the second is launched."""
    gpu = SlowGpu(waits=waits)
    monkeypatch.setattr("torch.cuda.Event", gpu.event)
    watch = compression._GpuStopwatch(compression._Operation(name="act", action=gpu.act), gpu.read)
    for expected in reads:
        gpu.reads = 0
        actual = watch()

        assert (seconds, expected) == (round(actual, 6), gpu.reads)


@pytest.mark.gpu
def test_every_row_is_measured_on_a_gpu_too() -> None:
    findings = compression.measure(2**20, print, torch.device("cuda"))

    assert (OPERATIONS * len(registry.names("compressor")), ()) == (
        [row.operation for row in findings.rows],
        findings.failures,
    )
    assert all(min(row.seconds, row.limit_seconds) > 0 for row in findings.rows)


def test_a_third_partys_failure_leaves_all_other_rows(tmp_path: Path) -> None:
    info = tmp_path / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    (tmp_path / "theirs.py").write_text(PLUGIN)
    command = [sys.executable, "-m", "liecbench", "bench", "compressors", "--size", "64", "--format", "json"]
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path})
    names = {row["name"] for row in json.loads(done.stdout)["rows"]}

    assert (5, set(registry.names("compressor"))) == (done.returncode, names)
    assert done.stderr.splitlines()[-2:] == [
        "liecbench: compressor 'broken' (theirs.Broken) failed: ArithmeticError: it does not add up; "
        "fix or uninstall its package",
        "liecbench: compressor 'choosy' (theirs.Choosy) cannot be made with its defaults: level: "
        "the key is missing; add it (`liecbench list compressors` shows the options); give the option a default",
    ]
