import errno
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from liecbench.bench.exchange_benchmark import benchmark_exchange
from liecbench.errors import MachineError
from liecbench.network.link_map import LinkMap
from tests import disturbed
from tests.cli.in_process import run_in_process
from tests.commands import Command, run_command, running_command
from tests.namespace_support import WITHOUT_NAMESPACES, skip_without_namespaces
from tests.process_tree import Tree
from tests.waiting import TIMEOUT_SECONDS

SIZE: Final = 4096
WORKERS: Final = 2
RATE: Final = 10**9
SHARD_BYTES: Final = 4 + SIZE // WORKERS // 8
FIELDS: Final = [
    "name",
    "operation",
    "size",
    "seconds",
    "limit_seconds",
    "ratio",
    "ratio_low",
    "ratio_high",
    "server",
    "workers",
    "link",
    "payload_bytes",
    "compress_seconds",
    "step_seconds",
    "asked_bits_per_second",
    "achieved_bits_per_second",
]
# A step of this takes 8 s on the wire.
ENDLESS: Final = ["bench", "exchange", "--size", "8000000", "--workers", str(WORKERS), "--rate", "1mbit"]


@pytest.fixture(scope="module")
def done() -> subprocess.CompletedProcess[str]:
    skip_without_namespaces()
    links = ["--link", "1gbit", "--link", "{rate: 1gbit, delay: 2ms}"]
    arguments = ["--size", str(SIZE), "--workers", str(WORKERS), *links, "--format", "json"]
    return run_in_process("bench", "exchange", *arguments)


@pytest.fixture(scope="module")
def all_rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    return found


@pytest.fixture(scope="module")
def rows(all_rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in all_rows if row["link"] == "1gbit"]


@pytest.fixture
def endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """Yield a benchmark that is busy with its first case; its temporary files are in ``tmp_path``."""
    skip_without_namespaces()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running_command(tmp_path, *ENDLESS) as command:
        command.wait_for(lambda: "compressed step sharded (1/2)" in command.stderr(), "the first case is measured")
        yield command


def test_every_row_has_its_fields(rows: list[dict[str, Any]]) -> None:
    assert {tuple(FIELDS)} == {tuple(row) for row in rows}


def test_each_kind_of_step_has_its_payload(rows: list[dict[str, Any]]) -> None:
    kinds = [(row["name"], row["operation"], row["server"], row["payload_bytes"]) for row in rows]

    # Two ranks: a sharded server's rank sends one shard up and one down, the root sends the whole down.
    assert kinds == [
        ("liec", "compressed_step", "sharded", 2 * SHARD_BYTES),
        ("liec", "compressed_step", "root", 4 + SIZE // 8),
        ("liec", "averaging_step", "sharded", 2 * 4 * SIZE),
        ("psgd", "dense_step", "sharded", 4 * SIZE),
        ("ddp", "all_reduce", None, 4 * SIZE),
    ]


def test_the_limit_is_the_payload_at_the_links_rate(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert (row["size"], row["workers"], row["link"]) == (SIZE, WORKERS, "1gbit")
        assert row["limit_seconds"] == row["payload_bytes"] * 8 / RATE
        assert row["ratio"] == row["seconds"] / row["limit_seconds"]
        assert row["ratio_low"] < row["ratio"] < row["ratio_high"]
        assert 0 < row["seconds"] <= row["step_seconds"]


def test_delays_of_messages_in_sequence_are_part_of_the_limit(all_rows: list[dict[str, Any]]) -> None:
    delayed = [row for row in all_rows if row["link"] != "1gbit"]
    # To the servers and back, with gradients and, in an averaging step, models; a ring of two ranks has two messages.
    messages = [2, 2, 4, 2, 2]

    assert {row["link"] for row in delayed} == {"1gbit delay 2ms round trip 8ms"}
    for row, number in zip(delayed, messages, strict=True):
        assert row["limit_seconds"] == pytest.approx(row["payload_bytes"] * 8 / RATE + number * 0.004)
        assert row["seconds"] > number * 0.004


def test_the_links_are_measured(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert row["asked_bits_per_second"] == RATE
        assert 0 < row["achieved_bits_per_second"] < 1.1 * RATE


def test_the_machine_is_described_without_paths(done: subprocess.CompletedProcess[str]) -> None:
    machine = json.loads(done.stdout)["machine"]

    versions = ["kernel", "python", "torch", "numba", "liecbench"]
    assert list(machine) == ["cpu", "num_cpus", "cpu_quota", "memory_bytes", *versions, "threads"]
    assert not any(str(value).startswith("/") for value in machine.values())


def test_progress_goes_to_standard_error(done: subprocess.CompletedProcess[str]) -> None:
    assert done.stderr.splitlines() == [
        "starting 2 workers",
        "1gbit: liec compressed step sharded (1/10)",
        "1gbit: liec compressed step root (2/10)",
        "1gbit: liec averaging step sharded (3/10)",
        "1gbit: psgd dense step sharded (4/10)",
        "1gbit: ddp all reduce (5/10)",
        "1gbit delay 2ms round trip 8ms: liec compressed step sharded (6/10)",
        "1gbit delay 2ms round trip 8ms: liec compressed step root (7/10)",
        "1gbit delay 2ms round trip 8ms: liec averaging step sharded (8/10)",
        "1gbit delay 2ms round trip 8ms: psgd dense step sharded (9/10)",
        "1gbit delay 2ms round trip 8ms: ddp all reduce (10/10)",
    ]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_an_interrupted_benchmark_leaves_no_process_or_namespace(
    endless: Command, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    namespaces = endless.tree.namespaces()
    assert (len(namespaces), len(endless.tree.ranks())) == (1 + WORKERS, WORKERS)
    endless.process.send_signal(number)
    assert endless.process.wait(TIMEOUT_SECONDS) == status
    endless.tree.assert_gone(namespaces)
    assert endless.stderr().splitlines() == [
        "1mbit: skipped, because a step takes more than 2 s on the wire alone: "
        "liec averaging step sharded, psgd dense step sharded, ddp all reduce",
        "starting 2 workers",
        "1mbit: liec compressed step sharded (1/2)",
    ]
    if number != signal.SIGKILL:
        assert not list(tmp_path.glob("liecbench-bench-*"))


def test_a_lost_rank_is_reported_with_its_log() -> None:
    skip_without_namespaces()

    def kill() -> None:
        os.kill(disturbed.wait_for_ranks(WORKERS)[1], signal.SIGKILL)

    done = disturbed.run_disturbed(kill, *ENDLESS)
    said = done.stderr
    assert done.returncode == 5
    assert (
        "liecbench: the ranks ended with status 1; first was rank 1: killed by SIGKILL, usually by the kernel" in said
    )
    assert "give a smaller --size or fewer --workers" in said


def test_refused_namespaces_are_reported() -> None:
    skip_without_namespaces()
    refused = run_command(Tree(), "bench", "exchange", "--size", "8", prefix=WITHOUT_NAMESPACES)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "the kernel refuses the network namespaces" in refused.stderr
    assert os.strerror(errno.ENOSPC) in refused.stderr
    assert "liecbench doctor" in refused.stderr
    assert "link: none" not in refused.stderr, "a benchmark has no such key"


def test_too_large_a_case_is_refused_before_ranks_start() -> None:
    said: list[str] = []
    with pytest.raises(MachineError, match=r"--size 8 --workers 1000000 needs about .* or fewer --workers"):
        benchmark_exchange(8, 10**6, [LinkMap.parse("1gbit")], said.append)
    assert said == []
