import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest

from liecbench.errors import LiecbenchError
from liecbench.results import ledger_reader
from liecbench.results.environment_record import Environment
from liecbench.results.ledger import LEDGER_NAME
from liecbench.results.ledger_line import seal
from liecbench.results.ledger_reader import LedgerReader, read
from liecbench.results.record_json import SCHEMA, to_json
from liecbench.results.records import Record, Start
from tests import ledgers
from tests.results.ledger_of_a_run import RECORDS_OF_A, REST, START, ledger_of


def message(directory: Path) -> str:
    with pytest.raises(LiecbenchError) as raised:
        list(read(directory))
    return str(raised.value)


def downgraded(record: Record) -> str:
    return to_json(record).replace('"schema": 2', '"schema": 1') + "\n"


def started_in(**environment: Any) -> Start:
    begun = RECORDS_OF_A[0]
    assert isinstance(begun, Start)
    return dataclasses.replace(begun, environment=Environment.of(environment))


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"variables": {}, "num_cpus": 2}, "has no cpu_quota beside its variables"),
        ({"profile_sha256": "0" * 64}, "has profile_sha256, which came with schema 2"),
    ],
)
def test_a_start_of_the_second_schema_is_not_taken_for_one_of_the_first(
    environment: dict[str, Any], why: str, tmp_path: Path
) -> None:
    ledger_of(tmp_path, downgraded(started_in(**environment)))

    assert f"1: it says schema 1, and {why}: its schema was changed" in message(tmp_path)


@pytest.mark.parametrize("field", ["tokens", "optimizer_bytes", "samples"])
def test_an_epoch_of_the_second_schema_is_not_taken_for_one_of_the_first(field: str, tmp_path: Path) -> None:
    begun, first, *_ = RECORDS_OF_A
    later: dict[str, Any] = {field: 64}
    ledger_of(tmp_path, downgraded(begun) + downgraded(dataclasses.replace(first, **later)))

    assert f"2: it says schema 1, and has {field}, which came with schema 2" in message(tmp_path)


def test_a_start_that_the_first_schema_wrote_is_read(tmp_path: Path) -> None:
    begun = started_in(variables={})
    ledger_of(tmp_path, downgraded(begun).replace('"variables": {}', '"cpu_quota": null, "variables": {}'))

    assert list(read(tmp_path)) == [begun]


@pytest.mark.parametrize("size", [0, 1, 10, 100, 10_000])
def test_an_incomplete_last_line_is_skipped(tmp_path: Path, size: int) -> None:
    ledger_of(tmp_path, START + REST[0].rstrip("\n")[:size])

    assert RECORDS_OF_A[:1] == list(read(tmp_path))


def test_zeros_that_a_power_cut_left_are_skipped(tmp_path: Path) -> None:
    ledger_of(tmp_path, START.encode() + bytes(100))

    assert RECORDS_OF_A[:1] == list(read(tmp_path))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("".join([START, *REST]).replace("\n", "\r"), 1),
        (START + "[1, 2]", 2),
        (START + REST[0].rstrip("\n") + REST[1].rstrip("\n"), 2),
        ('{"step": 1, "loss": 2.0}', 1),
    ],
)
def test_an_end_without_a_line_end_that_no_crash_left_is_refused(content: str, line: int, tmp_path: Path) -> None:
    """A run would cut it off, and a ledger with other line ends would be empty."""
    ledger_of(tmp_path, content)

    assert f"{LEDGER_NAME}:{line}: it has no line end, and is no record that a crash cut off" in message(tmp_path)


def test_a_line_that_is_longer_than_records_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = ledger_of(tmp_path, START)
    os.truncate(path, 2**40)

    assert f"{LEDGER_NAME}:2: it is longer than 16 MiB" in message(tmp_path)


def changed(**fields: Any) -> str:
    return json.dumps({**json.loads(to_json(ledgers.end("a"))), **fields})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{", "not JSON: cut off or damaged at character 1"),
        ("", "not JSON: cut off or damaged at character 0"),
        ("[]", "not a start, epoch, timing or end record"),
        ("3", "not a start, epoch, timing or end record"),
        ("{}", "not a start, epoch, timing or end record"),
        (changed(type="middle"), "not a start, epoch, timing or end record"),
        (changed(type=None), "not a start, epoch, timing or end record"),
        (changed(schema=SCHEMA + 1), "schema 3; this version reads schemas 1 and 2"),
        (changed(schema=None), "schema None; this version reads schemas 1 and 2"),
        (f'{{"type": "end", "schema": {SCHEMA}, "cell": "a"}}', "end record: attempt: Field required"),
        (changed(type=["end"]), "not a start, epoch, timing or end record"),
        (changed(), "its number or checksum is missing, with which every line of schema 2 ends"),
        (REST[0].replace("22, 22", "22, 23"), "its checksum is wrong: the line was changed after it was written"),
        (REST[0].replace('"number": 2', '"number": 3'), "its checksum is wrong"),
    ],
)
def test_a_damaged_line_is_named_with_its_number(tmp_path: Path, line: str, expected: str) -> None:
    path = ledger_of(tmp_path, "".join([START, line.rstrip("\n"), "\n", *REST[1:]]))
    remedy = f"; `liecbench verify {tmp_path}` names all damage, and --salvage keeps the whole cells"
    actual = message(tmp_path)

    assert (f"{path}:2: {expected}", True) == (actual[: len(f"{path}:2: {expected}")], actual.endswith(remedy))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([START, *REST[1:]], "2: its number is 3, and that of the line before 1: line 2 is missing"),
        ([START, REST[2]], "2: its number is 4, and that of the line before 1: lines 2 to 3 are missing"),
        ([START, REST[0], REST[0]], "3: its number is 2, and that of the line before 2: it is repeated or moved"),
        ([START, REST[1], REST[0]], "2: its number is 3, and that of the line before 1: line 2 is missing"),
        (REST, "1: its number is 2, and that of the line before 0: line 1 is missing"),
    ],
)
def test_missing_repeated_and_moved_lines_are_named(tmp_path: Path, lines: list[str], expected: str) -> None:
    path = ledger_of(tmp_path, "".join(lines))

    assert message(tmp_path).startswith(f"{path}:{expected}; ")


@pytest.mark.parametrize("block_bytes", [1, 1000, 3000])
def test_damage_is_named_wherever_a_block_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(ledger_reader, "_BLOCK_BYTES", block_bytes)
    lines = [START, *REST]
    for damaged in range(len(lines)):
        path = ledger_of(tmp_path, "".join([*lines[:damaged], "{}\n", *lines[damaged + 1 :]]))
        reader = LedgerReader(tmp_path)
        found = list(reader.new_lines())

        assert message(tmp_path).startswith(f"{path}:{damaged + 1}: not a start, epoch, timing or end record")
        assert [line.text.decode() + "\n" for line in found] == path.read_text().splitlines(keepends=True)
        assert [line.number for line in found] == list(range(1, len(lines) + 1))
        assert found[damaged].record is None
        assert all(line.record for line in found if line.number != damaged + 1)


def test_lines_after_an_unreadable_one_may_have_any_number(tmp_path: Path) -> None:
    unreadable = seal('{"type": "end", "schema": 2, "cell": "a"}', 2) + "\n"
    ledger_of(tmp_path, "".join([START, unreadable, REST[2]]))
    found = list(LedgerReader(tmp_path).new_lines())

    assert [line.damage for line in found][:2] == [None, "end record: attempt: Field required"]
    assert not found[2].is_after_gap


def test_a_ledger_that_is_not_text_is_named(tmp_path: Path) -> None:
    path = ledger_of(tmp_path, b"\xff\xfe\n")

    assert str(path) == message(tmp_path)[: len(str(path))]


def test_a_directory_without_a_ledger_is_no_results_directory(tmp_path: Path) -> None:
    actual = message(tmp_path)

    assert f"{tmp_path / LEDGER_NAME}: No such file or directory; give a results directory that `run` wrote" == actual
