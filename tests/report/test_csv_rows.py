import csv
import io
import json
from typing import Any

import pytest

from liecbench.results.rows import Row
from tests.report.exported import ALWAYS, as_csv, as_json, example_rows, rows_of_specs


@pytest.fixture
def rows() -> list[Row]:
    return example_rows()


def test_csv_and_json_agree(rows: list[Row]) -> None:
    lines = list(csv.DictReader(io.StringIO(as_csv(rows))))
    expected: list[dict[str, str]] = []
    for row in json.loads(as_json(rows))["rows"]:
        flat = {key: value for key, value in row.items() if key in lines[0] and not isinstance(value, dict)}
        for name in ALWAYS:
            value = row[name] or {"mean": None, "low": None, "high": None}
            flat |= {name: value["mean"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
        expected.append({key: "" if flat.get(key) is None else str(flat[key]) for key in lines[0]})

    assert expected == lines


def test_csv_has_one_line_a_row_of_equal_length(rows: list[Row]) -> None:
    table = list(csv.reader(io.StringIO(as_csv(rows))))

    assert (len(rows) + 1, {len(table[0])}) == (len(table), {len(line) for line in table})


def test_csv_quotes_what_needs_it() -> None:
    row = rows_of_specs({"compressor": {"name": 'a,"b"\nc'}})
    line = next(csv.DictReader(io.StringIO(as_csv(row))))

    assert line["compressor"] == 'a,"b" c'


def test_csv_has_no_formulas_and_no_control_codes_and_numbers_stay() -> None:
    options: dict[str, Any] = {
        "plus": "+1+2",
        "minus": "-2+3",
        "at": "@SUM(1)",
        "escape": "\x1b[2J",
        "tab": "\t=1",
        "line": "\r=2",
    }
    options |= {"text_number": "-1e-3", "number": -0.5, "=heading": 1}
    row = rows_of_specs({"algorithm": {"name": "=HYPERLINK(1)", **options}, "server": "\u202e"})
    line = next(csv.DictReader(io.StringIO(as_csv(row))))
    expected = {
        "algorithm": "'=HYPERLINK(1)",
        "plus": "'+1+2",
        "minus": "'-2+3",
        "at": "'@SUM(1)",
        "escape": "\\u001b[2J",
        "tab": "'=1",
        "line": "'=2",
        "text_number": "-1e-3",
        "number": "-0.5",
        "'=heading": "1",
        "server": "\\u202e",
    }

    assert expected == {name: line[name] for name in expected}
