import hashlib
import json
from typing import Any

import pytest

from liecbench.check.stored.baseline_text import sealed, unsealed

NUMBERS = {"x": 1.5e-05, "y": 1e16, "z": -0.0}
CELLS: list[dict[str, Any]] = [
    {
        "spec": {"link": {"rate": "1mbit"}, "a": []},
        "epochs": [NUMBERS, {"x": [1, 2, True, None], "e": {}}],
    },
    {"spec": {"name": "},\n  {", "ö": "\u2028\x07"}, "epochs": []},
    {},
]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_file_is_json_with_a_line_per_value_and_a_checksum_of_the_rest(count: int) -> None:
    content = sealed("0.1", CELLS[:count]).decode()
    rest = {"type": "liecbench-baseline", "schema": 1, "liecbench": "0.1", "cells": CELLS[:count]}
    checksum = hashlib.sha256(json.dumps(rest, indent=1).encode()).hexdigest()
    expected = {"type": "liecbench-baseline", "schema": 1, "liecbench": "0.1", "sha256": checksum, **rest}

    assert content == json.dumps(expected, indent=1) + "\n"


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_each_cell_is_parsed_by_itself(ends: str) -> None:
    rest, cells = unsealed(sealed("0.1", CELLS).replace(b"\n", ends.encode()))

    assert [json.loads(cell) for cell in cells] == CELLS
    assert json.loads(rest)["cells"] == []
    assert json.loads(rest)["liecbench"] == "0.1"
