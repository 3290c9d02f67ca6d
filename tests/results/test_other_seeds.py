from pathlib import Path

import pytest

from liecbench.results.cells import CellResult
from liecbench.results.other_seeds import other_seeds_notes
from tests.ledgers import cells_of, run_of, start

STORED = cells_of(
    *(run_of(f"a{seed}", seed=seed) for seed in range(4)), run_of("b", algorithm="psgd"), [start("c", seed=4)]
)
NAMED = (
    "also has seeds 2 and 3, which this run did not ask for and leaves out; `liecbench compare 'my results'` compares"
)


def test_seeds_that_are_left_out_are_named() -> None:
    notes = other_seeds_notes(STORED[:2], STORED, Path("my results"))

    assert notes == [f"my results {NAMED} all seeds"]


@pytest.mark.parametrize("compared", [STORED, STORED[:4], STORED[4:5], []])
def test_other_methods_and_cells_that_did_not_end_are_not_named(compared: list[CellResult]) -> None:
    assert other_seeds_notes(compared, STORED, Path("r")) == []
