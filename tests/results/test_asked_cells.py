import json
import os
from pathlib import Path

import pytest

from liecbench.config.cell import Cell
from liecbench.errors import LiecbenchError
from liecbench.results.asked_cells import CELLS_NAME, AskedCells, read_asked, write_asked
from tests.ledgers import spec

CELLS = tuple(Cell.from_spec(spec(name, seed=seed)) for name in ("ddp", "psgd") for seed in (0, 1, 5))


def test_written_cells_are_read_again(tmp_path: Path) -> None:
    write_asked(tmp_path, AskedCells.of(CELLS, ["seed=0", "algorithm=ddp"]))
    found = read_asked(tmp_path)

    assert found is not None
    assert found.only == ["seed=0", "algorithm=ddp"]
    assert found.without([]) == list(CELLS)
    assert found.without([CELLS[1].id, CELLS[5].id]) == [CELLS[0], *CELLS[2:5]]


def test_results_of_an_earlier_version_have_no_list(tmp_path: Path) -> None:
    assert read_asked(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"only": [], "cells": []}',
        '{"only": [], "cells": [{"spec": {}, "seeds": [0]}]}',
        json.dumps({"only": [], "cells": [{"spec": {**CELLS[0].spec(), "workers": "many"}, "seeds": [0]}]}),
        json.dumps({"only": [], "cells": [{"spec": CELLS[0].spec(), "seeds": ["0"]}]}),
        json.dumps({"only": [], "cells": [{"spec": CELLS[0].spec(), "seeds": [-1]}]}),
        json.dumps({"only": "seed=0", "cells": [{"spec": CELLS[0].spec(), "seeds": [0]}]}),
        "[" * 100_000,
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / CELLS_NAME).write_text(content)
    with pytest.raises(LiecbenchError) as raised:
        read_asked(tmp_path)

    message = "not a list of cells as `run` writes it, and not used; remove it, or run the scenario again"
    assert str(raised.value) == f"{tmp_path / CELLS_NAME}: {message}"


def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / CELLS_NAME)
    with pytest.raises(LiecbenchError, match="not a list of cells"):
        read_asked(tmp_path)
