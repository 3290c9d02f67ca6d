import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liecbench.errors import LiecbenchError
from liecbench.results.ledger import LEDGER_NAME, Ledger
from liecbench.results.ledger_reader import read
from liecbench.results.record_json import to_json
from tests import ledgers
from tests.results.ledger_of_a_run import RECORDS_OF_A, REST, START, ledger_of


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_ledger_reads_back_in_order(tmp_path: Path, epochs: list[int]) -> None:
    (tmp_path / LEDGER_NAME).unlink(missing_ok=True)
    runs = [ledgers.run_of(f"c{seed}", [{}] * count, seed=seed) for seed, count in enumerate(epochs)]
    ledgers.write_ledger(tmp_path, *runs)

    assert ledgers.consistent(*runs) == list(read(tmp_path))
    assert "".join(ledgers.lines_of(*runs)) == (tmp_path / LEDGER_NAME).read_text()


def test_a_later_ledger_appends(tmp_path: Path) -> None:
    for record in RECORDS_OF_A:
        with Ledger(tmp_path) as ledger:
            ledger.append(record)

    assert list(read(tmp_path)) == RECORDS_OF_A


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"payload_bytes": {"sent": [12.5, 1], "received": [1, 1]}}, "payload_bytes.sent.0: should be a whole number"),
        ({"residual_norm": -1.0}, "residual_norm: should be at least 0"),
        ({"other_cpu_share": float("nan")}, "not JSON compliant"),
    ],
)
def test_what_readers_refuse_is_not_written(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    """A method of somebody else may count wrong: its cell fails, and the ledger stays whole."""
    begun, first, *_ = RECORDS_OF_A
    with Ledger(tmp_path) as ledger:
        ledger.append(begun)
        with pytest.raises(ValueError, match=problem):
            ledger.append(dataclasses.replace(first, **change))
        ledger.append(first)

    assert list(read(tmp_path)) == [begun, first]


def test_two_writers_by_turns_number_their_lines_on(tmp_path: Path) -> None:
    with Ledger(tmp_path) as first, Ledger(tmp_path) as second:
        for writer, record in zip([first, second, second, first], RECORDS_OF_A, strict=True):
            writer.append(record)

    assert list(read(tmp_path)) == RECORDS_OF_A


def test_a_ledger_of_the_first_schema_goes_on_with_numbers(tmp_path: Path) -> None:
    old = [to_json(record).replace('"schema": 2', '"schema": 1') for record in RECORDS_OF_A[:2]]
    ledger_of(tmp_path, "".join(f"{line}\n" for line in old))
    with Ledger(tmp_path) as ledger:
        for record in RECORDS_OF_A[2:]:
            ledger.append(record)

    assert list(read(tmp_path)) == RECORDS_OF_A
    assert (tmp_path / LEDGER_NAME).read_text().splitlines()[2:] == [line.rstrip() for line in REST[1:]]


def test_a_locked_ledger_refuses_a_second_lock(tmp_path: Path) -> None:
    with Ledger(tmp_path) as first, Ledger(tmp_path) as second:
        first.lock(tmp_path)
        with pytest.raises(LiecbenchError) as raised:
            second.lock(tmp_path)

    assert f"{tmp_path} is in use by another run; wait for it, or give another --out" == str(raised.value)


@pytest.mark.parametrize("tail", ["", "{", '{"type": "epoch"', "\x00\x00"])
def test_locking_cuts_off_an_incomplete_last_line(tmp_path: Path, tail: str) -> None:
    whole = START
    path = ledger_of(tmp_path, whole + tail)
    with Ledger(tmp_path) as ledger:
        ledger.lock(tmp_path)

    assert whole == path.read_text()
