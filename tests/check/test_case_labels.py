from typing import Any

from liecbench.check.case_labels import names


def fields(algorithm: str, **others: Any) -> dict[str, Any]:
    return {"algorithm": algorithm, "compressor": None, "workers": 2, **others}


def test_a_cell_is_called_by_its_method_and_workers() -> None:
    assert names([fields("ddp"), fields("memsgd", compressor="sign")]) == ["ddp · 2 workers", "memsgd sign · 2 workers"]


def test_what_tells_cells_of_a_method_apart_is_added() -> None:
    cells = [fields("ddp", link="10mbit"), fields("ddp", link="20mbit")]

    assert names(cells) == ["ddp · 2 workers · link 10mbit", "ddp · 2 workers · link 20mbit"]


def test_what_only_another_method_has_tells_nothing_apart() -> None:
    cells = [fields("ddp"), fields("liec", average_period=8)]

    assert names(cells) == ["ddp · 2 workers", "liec · 2 workers"]


def test_a_value_and_none_are_told_apart() -> None:
    cells = [fields("ddp", schedule=None), fields("ddp", schedule="cosine")]

    assert names(cells) == ["ddp · 2 workers", "ddp · 2 workers · schedule cosine"]
