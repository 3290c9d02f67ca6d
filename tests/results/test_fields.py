from typing import Any

from liecbench.results.comparison_of_cells import compare
from liecbench.results.fields import varying_fields
from tests.ledgers import cells_of, rows_of, run_of


def test_only_fields_that_differ_vary() -> None:
    runs = [run_of("a"), run_of("b", algorithm="liec", server="root"), run_of("c", workers=4)]
    rows = [row.fields for row in rows_of(*runs)]

    assert varying_fields(rows) == ["algorithm", "workers"]


def test_a_field_that_one_algorithm_has_set_and_null_varies() -> None:
    runs = [run_of("a"), run_of("b", task={"schedule": "cosine"}), run_of("c", algorithm="liec", server="root")]
    rows = [row.fields for row in rows_of(*runs)]

    assert varying_fields(rows) == ["algorithm", "schedule"]


def test_an_option_that_one_of_two_equal_rows_lacks_varies() -> None:
    rows: list[dict[str, Any]] = [
        {"algorithm": "ddp", "schedule": "cosine", "schedule_warmup_steps": 20},
        {"algorithm": "ddp", "schedule": "cosine"},
        {"algorithm": "liec", "schedule": "cosine", "average_period": 8},
    ]

    assert varying_fields(rows) == ["algorithm", "schedule_warmup_steps"]


def test_an_option_that_only_another_value_has_does_not_vary() -> None:
    rows: list[dict[str, Any]] = [
        {"algorithm": "ddp", "optimizer": "sgd"},
        {"algorithm": "ddp", "optimizer": "adamw", "eps": 1e-8},
    ]

    assert varying_fields(rows) == ["optimizer"]


def test_the_order_of_blocks_is_shared_only_if_all_rows_have_it() -> None:
    orders = ("forward", "backward"), ("forward", "forward")
    found = []
    for psgd, ddp in orders:
        runs = [run_of("a", block_order=ddp), run_of("b", algorithm="psgd", block_order=psgd)]
        comparison = compare(cells_of(*runs), baseline="ddp")
        found.append((comparison.fields, comparison.shared_fields.get("block_order")))

    assert found == [(("algorithm",), None), (("algorithm",), "forward")]
