import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liecbench.errors import LiecbenchError
from liecbench.results.ledger import LEDGER_NAME, Ledger, read
from liecbench.results.records import SCHEMA, Record, to_json
from tests import ledgers
from tests.results.test_records import RECORDS


def ledger_of(directory: Path, content: bytes | str) -> Path:
    path = directory / LEDGER_NAME
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def message(directory: Path) -> str:
    with pytest.raises(LiecbenchError) as raised:
        list(read(directory))
    return str(raised.value)


@given(st.lists(RECORDS, max_size=5))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_ledger_reads_back_in_order(tmp_path: Path, records: list[Record]) -> None:
    (tmp_path / LEDGER_NAME).unlink(missing_ok=True)
    with Ledger(tmp_path) as ledger:
        for record in records:
            ledger.append(record)

    assert records == list(read(tmp_path))


def test_a_later_ledger_appends(tmp_path: Path) -> None:
    records: list[Record] = [ledgers.start("a"), ledgers.epoch("a")]
    for record in records:
        with Ledger(tmp_path) as ledger:
            ledger.append(record)

    assert records == list(read(tmp_path))


@pytest.mark.parametrize("size", [1, 10, 100])
def test_an_incomplete_last_line_is_skipped(tmp_path: Path, size: int) -> None:
    whole = to_json(ledgers.start("a"))
    ledger_of(tmp_path, f"{whole}\n{to_json(ledgers.epoch('a'))[:size]}")

    assert [ledgers.start("a")] == list(read(tmp_path))


def test_a_last_line_without_line_end_is_incomplete(tmp_path: Path) -> None:
    ledger_of(tmp_path, f"{to_json(ledgers.start('a'))}\n{to_json(ledgers.end('a'))}")

    assert [ledgers.start("a")] == list(read(tmp_path))


def test_zeros_that_a_power_cut_left_are_skipped(tmp_path: Path) -> None:
    ledger_of(tmp_path, f"{to_json(ledgers.start('a'))}\n".encode() + bytes(100))

    assert [ledgers.start("a")] == list(read(tmp_path))


def changed(**fields: Any) -> str:
    return json.dumps({**json.loads(to_json(ledgers.end("a"))), **fields})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{", "EOF while parsing an object"),
        ("", "EOF while parsing a value"),
        ("[]", "not a start, epoch, timing or end record"),
        ("3", "not a start, epoch, timing or end record"),
        ("{}", "not a start, epoch, timing or end record"),
        (changed(type="middle"), "not a start, epoch, timing or end record"),
        (changed(type=None), "not a start, epoch, timing or end record"),
        (changed(schema=SCHEMA + 1), "schema 2; this version reads schema 1"),
        (changed(schema=None), "schema None; this version reads schema 1"),
        (f'{{"type": "end", "schema": {SCHEMA}, "cell": "a"}}', "end record: attempt: Field required"),
        (changed(type=["end"]), "not a start, epoch, timing or end record"),
    ],
)
def test_a_damaged_line_is_named_with_its_number(tmp_path: Path, line: str, expected: str) -> None:
    path = ledger_of(tmp_path, f"{to_json(ledgers.start('a'))}\n{line}\n{to_json(ledgers.end('a'))}\n")
    actual = message(tmp_path)

    assert (f"{path}:2: {expected}", True) == (
        actual[: len(f"{path}:2: {expected}")],
        actual.endswith("; use the liecbench that wrote it, or remove the damaged line"),
    )


def test_a_ledger_that_is_not_text_is_named(tmp_path: Path) -> None:
    path = ledger_of(tmp_path, b"\xff\xfe\n")

    assert str(path) == message(tmp_path)[: len(str(path))]


def test_a_directory_without_a_ledger_is_no_results_directory(tmp_path: Path) -> None:
    actual = message(tmp_path)

    assert f"{tmp_path / LEDGER_NAME}: No such file or directory; give a results directory that `run` wrote" == actual


def test_a_locked_ledger_refuses_a_second_lock(tmp_path: Path) -> None:
    with Ledger(tmp_path) as first, Ledger(tmp_path) as second:
        first.lock(tmp_path)
        with pytest.raises(LiecbenchError) as raised:
            second.lock(tmp_path)

    assert f"{tmp_path} is in use by another run; wait for it, or give another --out" == str(raised.value)


@pytest.mark.parametrize("tail", ["", "{", '{"type": "epoch"', "\x00\x00"])
def test_locking_cuts_off_an_incomplete_last_line(tmp_path: Path, tail: str) -> None:
    whole = f"{to_json(ledgers.start('a'))}\n"
    path = ledger_of(tmp_path, whole + tail)
    with Ledger(tmp_path) as ledger:
        ledger.lock(tmp_path)

    assert whole == path.read_text()
