import pytest

from liecbench.check.paired.cases import cases_of
from liecbench.errors import LiecbenchError
from tests.check.paired.test_session import cell

TOP_K = {"name": "top_k", "ratio": 0.01}


def labels(*pairs: tuple[object, object]) -> list[str]:
    a, b = ([cell("memsgd", compressor=side) for side in sides] for sides in zip(*pairs, strict=True))
    return [case.label for case in cases_of(a, b)]


def test_one_cell_is_called_by_its_algorithm() -> None:
    assert labels(("sign", "sign")) == ["memsgd sign · 2 workers"]


def test_cells_are_told_apart_by_what_differs() -> None:
    assert labels(("sign", "sign"), (TOP_K, TOP_K)) == ["memsgd sign · 2 workers", "memsgd top_k · 2 workers"]


def test_what_differs_between_the_sides_is_shown_from_a_to_b() -> None:
    assert labels(("sign", TOP_K)) == ["memsgd sign · 2 workers · compressor sign → top_k · ratio none → 0.01"]


def test_what_one_side_lacks_is_said() -> None:
    (case,) = cases_of([cell("ddp")], [cell("memsgd")])

    assert case.label.startswith("ddp · 2 workers · algorithm ddp → memsgd · compressor none → sign")


def test_seeds_are_one_case() -> None:
    cells = [cell(seed=seed) for seed in range(5)]

    assert [(case.a.seed, case.b.seed) for case in cases_of(cells, cells)] == [(0, 0)]


def test_matrices_of_other_sizes_cannot_be_compared() -> None:
    with pytest.raises(LiecbenchError, match="A has 1 cells besides its seeds, and B 2"):
        cases_of([cell()], [cell(), cell("psgd", compressor=None)])
