from typing import Any

from liecbench.check.case_labels import cell_labels


def fields(algorithm: str, **others: Any) -> dict[str, Any]:
    return {"algorithm": algorithm, "compressor": None, "workers": 2, **others}


def test_a_label_has_the_method_and_the_workers() -> None:
    assert cell_labels([fields("ddp"), fields("memsgd", compressor="sign")]) == [
        "ddp · 2 workers",
        "memsgd sign · 2 workers",
    ]


def test_a_label_has_the_fields_that_differ_within_a_method() -> None:
    cells = [fields("ddp", link="10mbit"), fields("ddp", link="20mbit")]

    assert cell_labels(cells) == ["ddp · 2 workers · link 10mbit", "ddp · 2 workers · link 20mbit"]


def test_a_label_lacks_fields_of_another_method() -> None:
    cells = [fields("ddp"), fields("liec", average_period=8)]

    assert cell_labels(cells) == ["ddp · 2 workers", "liec · 2 workers"]


def test_none_and_a_value_are_different() -> None:
    cells = [fields("ddp", schedule=None), fields("ddp", schedule="cosine")]

    assert cell_labels(cells) == ["ddp · 2 workers", "ddp · 2 workers · schedule cosine"]


def test_an_option_that_makes_another_method_is_part_of_the_name_even_of_the_only_one() -> None:
    alone = [fields("ddp"), fields("psgd", compressor="sign", per_tensor=True)]
    both = [*alone, fields("psgd", compressor="sign")]

    assert cell_labels(alone) == ["ddp · 2 workers", "psgd sign per_tensor · 2 workers"]
    assert cell_labels(both) == [
        "ddp · 2 workers",
        "psgd sign per_tensor · 2 workers",
        "psgd sign · 2 workers",
    ]
