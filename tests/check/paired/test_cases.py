import pytest

from liecbench.check.paired.cases import cases_of
from liecbench.errors import LiecbenchError
from tests.check.paired.paired_cells import paired_cell as cell

TOP_K = {"name": "top_k", "ratio": 0.01}


def labels(*pairs: tuple[object, object]) -> list[str]:
    a, b = ([cell("memsgd", compressor=side) for side in sides] for sides in zip(*pairs, strict=True))
    return [case.label for case in cases_of(a, b)]


def test_the_label_of_a_single_cell_is_its_method() -> None:
    assert labels(("sign", "sign")) == ["memsgd sign · 2 workers"]


def test_labels_have_the_fields_that_differ() -> None:
    assert labels(("sign", "sign"), (TOP_K, TOP_K)) == ["memsgd sign · 2 workers", "memsgd top_k · 2 workers"]


def test_a_field_that_differs_between_the_sides_is_shown_from_a_to_b() -> None:
    assert labels(("sign", TOP_K)) == ["memsgd sign · 2 workers · compressor sign → top_k · ratio none → 0.01"]


def test_a_field_that_one_side_lacks_is_in_the_label() -> None:
    (case,) = cases_of([cell("ddp")], [cell("memsgd")])

    assert case.label.startswith("ddp · 2 workers · algorithm ddp → memsgd · compressor none → sign")


def test_cells_that_differ_in_the_seed_are_one_case() -> None:
    cells = [cell(seed=seed) for seed in range(5)]

    assert [(case.a.seed, case.b.seed) for case in cases_of(cells, cells)] == [(0, 0)]


def test_matrices_of_different_sizes_are_refused() -> None:
    with pytest.raises(LiecbenchError, match="A has 1 cells besides its seeds, and B 2"):
        cases_of([cell()], [cell(), cell("psgd", compressor=None)])
