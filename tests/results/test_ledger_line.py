import json
import zlib

import pytest

from liecbench.results.ledger_line import LineNumbers, check_unsealed, renumbered, seal, unseal


def test_a_line_ends_in_its_number_and_the_crc_of_what_stands_before() -> None:
    expected = f'{{"type": "end", "number": 7, "checksum": "{zlib.crc32(b"""{"type": "end", "number": 7"""):08x}"}}'

    assert seal('{"type": "end"}', 7) == expected
    assert unseal(expected.encode()) == json.loads(expected)["number"] == 7


def test_every_flipped_bit_is_noticed() -> None:
    line = seal('{"type": "end", "schema": 2, "cell": "ä"}', 12).encode()
    for place in range(8 * len(line)):
        flipped = bytearray(line)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(ValueError, match="checksum"):
            _check(bytes(flipped))


def _check(line: bytes) -> None:
    if unseal(line) is None:
        check_unsealed(line)


@pytest.mark.parametrize(
    "line",
    [
        '{"type": "end", "schema": 1}',
        '{"type": "end", "schema":1}',
        '{"type": "end", "schema": 1, "cell": "a"}',
        '{"type": "start", "schema": 1, "spec": {"algorithm": {"name": "a", "number": 3}}, "environment": {}}',
    ],
)
def test_lines_of_the_first_schema_have_no_seal(line: str) -> None:
    assert unseal(line.encode()) is None
    check_unsealed(line.encode())


@pytest.mark.parametrize("line", ['{"schema": 2}', '{"schema": 1, "number": 3}', '{"schema": 1, "checksum": ""}', "{}"])
def test_a_line_that_lost_its_seal_is_noticed(line: str) -> None:
    with pytest.raises(ValueError, match="its number or checksum is missing"):
        check_unsealed(line.encode())


def test_renumbering_seals_the_same_record_again() -> None:
    line = seal('{"type": "end", "cell": "ä"}', 12)

    assert renumbered(line.encode(), 3).decode() == seal('{"type": "end", "cell": "ä"}', 3)
    assert renumbered(b'{"schema": 1}', 3) == b'{"schema": 1}'


def test_numbers_rise_by_one() -> None:
    numbers = LineNumbers()
    found = [numbers.next(number, is_written=True) for number in (1, 2, 4, 4, 3, 4, 8)]

    assert [text and text.rpartition(": ")[2] for text in found] == [
        *(None, None),
        "line 3 is missing",
        "it is repeated or moved",
        "it is repeated or moved",
        None,
        "lines 5 to 7 are missing",
    ]


def test_lines_are_accepted_up_to_the_first_that_is_not_the_next_whole_one() -> None:
    numbers = LineNumbers()
    lines = [seal('{"type": "end"}', number).encode() for number in (1, 2, 3, 5, 6)]

    assert numbers.accept(lines) == 3
    assert numbers.accept(lines[3:]) == 0
    assert numbers.next(5, is_written=True) == "its number is 5, and that of the line before 3: line 4 is missing"
    assert numbers.accept([lines[4], lines[4].replace(b"end", b"End")]) == 1
    assert numbers.accept([]) == 0
    assert numbers.next(7, is_written=False) == "it has no number, and stands after lines that have one"


@pytest.mark.parametrize(
    "change", [(b"end", b"End"), (b'"checksum": "', b'"checksum": "0'), (b'"}', b'" }'), (b"1", b"2")]
)
def test_a_changed_line_is_not_accepted(change: tuple[bytes, bytes]) -> None:
    line = seal('{"type": "end"}', 1).encode()

    assert LineNumbers().accept([line]) == 1
    assert LineNumbers().accept([line.replace(*change)]) == 0


def test_numbers_go_on_after_a_line_that_cannot_be_read_and_after_the_first_schema() -> None:
    numbers = LineNumbers()
    assert [numbers.next(number, is_written=False) for number in (1, 2)] == [None, None]
    assert numbers.next(3, is_written=True) is None
    numbers.skip()

    assert numbers.next(5, is_written=True) is None
    assert numbers.next(6, is_written=False) == "it has no number, and stands after lines that have one"
