import json
import subprocess
from typing import Any, Final

import pytest

from liecbench.bench import link_benchmark
from tests.cli.in_process import run_in_process
from tests.namespace_support import skip_without_namespaces

WORKERS: Final = 4
SIZE: Final = 2**16
# A segment of 1448 bytes has 66 of headers.
FRAMED: Final = SIZE + 66 * 46


@pytest.fixture(scope="module")
def done() -> subprocess.CompletedProcess[str]:
    skip_without_namespaces()
    sizes = ["--size", str(SIZE), "--size", str(2**26)]
    arguments = [*sizes, "--workers", str(WORKERS), "--link", "20mbit", "--format", "json"]
    with pytest.MonkeyPatch.context() as monkeypatch:
        # The usual four seconds for each of five cases only make the intervals narrower, which no test here reads.
        monkeypatch.setattr(link_benchmark, "_AFTER_IDLE_SECONDS", 1.0)
        monkeypatch.setattr(link_benchmark, "_AFTER_IDLE_REPEATS", 50)
        return run_in_process("bench", "link", *arguments)


@pytest.fixture(scope="module")
def rows(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return {row["name"]: row for row in json.loads(done.stdout)["rows"] if row["name"] != "after_idle"}


@pytest.fixture(scope="module")
def after_idle(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [row for row in json.loads(done.stdout)["rows"] if row["name"] == "after_idle"]


def test_every_operation_has_a_row_with_its_payload(rows: dict[str, dict[str, Any]]) -> None:
    assert {name: row["payload_bytes"] for name, row in rows.items()} == {
        "round_trip": 1,
        "stream": SIZE,
        "all_reduce": 2 * 3 * SIZE // 4,
        "broadcast": SIZE,
        "gather": 3 * SIZE,
        "all_to_all": 3 * SIZE // 4,
        "all_gather": 3 * SIZE,
    }
    assert {row["operation"] for row in rows.values()} == {"send", "collective"}


def test_the_limit_of_a_stream_is_its_frames_at_the_rate(rows: dict[str, dict[str, Any]]) -> None:
    row = rows["stream"]

    assert row["limit_seconds"] == pytest.approx(8 * FRAMED / 20e6)
    assert row["achieved_bits_per_second"] == round(8 * FRAMED / row["seconds"])
    assert row["ratio"] == pytest.approx(row["seconds"] / row["limit_seconds"])


def test_no_operation_beats_its_limit_by_more_than_a_burst(rows: dict[str, dict[str, Any]]) -> None:
    assert all(row["seconds"] > 0.9 * row["limit_seconds"] for row in rows.values())


def test_links_carry_the_requested_rate(rows: dict[str, dict[str, Any]]) -> None:
    assert rows["round_trip"]["asked_bits_per_second"] == 20_000_000
    for name in ("round_trip", "stream"):
        assert rows[name]["achieved_bits_per_second"] == pytest.approx(20e6, rel=0.15)


def test_small_messages_after_idle_are_held_to_the_rate(after_idle: list[dict[str, Any]]) -> None:
    bursts = [(row["messages"], row["size"]) for row in after_idle]

    assert bursts == [(3, 821), (6, 821), (3, 4096), (3, 16384), (3, 65536)]
    for row in after_idle:
        # Gloo precedes each message by a header of its own, and rank 0 acknowledges that rank 1 is ready for it, at
        # times by one segment more. What rank 0 sends for rank 1's answer does not count.
        framed = row["messages"] * (row["size"] + 66 * -(-row["size"] // 1448))
        assert 8 * framed / 20e6 <= row["limit_seconds"] <= 8 * (framed + 266 * row["messages"]) / 20e6
        # A token bucket lets the smallest pass in a third of their time.
        assert row["ratio"] > 0.85


def test_skipped_cases_are_reported(done: subprocess.CompletedProcess[str]) -> None:
    assert f"some operations on {2**26} bytes are skipped" in done.stderr
