import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from liecbench.results.records import Record, Start
from liecbench.results.row_labels import Labels, field_label
from tests.ledgers import rows_of, run_of


def named(runs: Sequence[list[Record]]) -> set[tuple[str, str]]:
    rows = rows_of(*runs)
    labels = Labels(rows)
    return {(labels.method(row), labels.setting(row)) for row in rows}


def test_methods_that_differ_in_name_alone_are_labelled_by_it() -> None:
    assert named([run_of("a"), run_of("b", algorithm="psgd", compressor={"name": "sign"})]) == {
        ("ddp", ""),
        ("psgd", ""),
    }


def test_a_methods_label_has_the_fields_in_which_methods_differ() -> None:
    runs = [run_of("a")]
    for number, ratio in enumerate((0.01, 0.1)):
        runs.append(run_of(f"k{number}", algorithm="psgd", compressor={"name": "top_k", "ratio": ratio}))
    runs.append(run_of("s", algorithm="psgd", compressor={"name": "sign"}, task={"learning_rate": 0.3}))

    assert named(runs) == {
        ("ddp", ""),
        ("psgd top_k ratio 0.01", ""),
        ("psgd top_k ratio 0.1", ""),
        ("psgd sign", ""),
    }


def test_a_field_of_the_task_names_methods_only_if_one_method_has_several_values() -> None:
    adamw = {"name": "adamw", "betas": [0.9, 0.95], "eps": 1e-8, "amsgrad": False}
    runs = [
        run_of("a", task={"optimizer": adamw}),
        run_of("b", algorithm="psgd", task={"learning_rate": 0.3}),
        run_of("c", algorithm="psgd", task={"learning_rate": 0.4}),
    ]

    assert named(runs) == {
        ("ddp learning rate 0.1", ""),
        ("psgd learning rate 0.3", ""),
        ("psgd learning rate 0.4", ""),
    }


def test_an_option_that_another_row_of_the_algorithm_lacks_names_a_method() -> None:
    begun, *others = run_of("t", algorithm="psgd")
    assert isinstance(begun, Start)
    spec = {**begun.spec, "algorithm": {"name": "psgd", "per_tensor": True}}
    per_tensor: list[Record] = [dataclasses.replace(begun, spec=spec), *others]

    for runs in ([run_of("p", algorithm="psgd"), per_tensor], [per_tensor, run_of("p", algorithm="psgd")]):
        assert named(runs) == {("psgd", ""), ("psgd per_tensor", "")}
    assert named([run_of("a"), per_tensor]) == {("ddp", ""), ("psgd per_tensor", "")}


def test_an_option_names_a_method_only_if_rows_of_this_algorithm_differ_in_it() -> None:
    def method(cell: str, name: str, **options: object) -> list[Record]:
        first, *others = run_of(cell, algorithm=name)
        assert isinstance(first, Start)
        return [dataclasses.replace(first, spec={**first.spec, "algorithm": {"name": name, **options}}), *others]

    runs = [
        run_of("a"),
        method("b", "diloco", outer_lr=0.7, sync_every=16),
        method("c", "diloco", outer_lr=0.7, sync_every=64),
        method("d", "sparseloco", outer_lr=1.0, sync_every=16),
    ]

    assert named(runs) == {
        ("ddp", ""),
        ("diloco sync every 16", ""),
        ("diloco sync every 64", ""),
        ("sparseloco", ""),
    }


def test_the_order_of_blocks_names_only_methods_whose_rows_differ_in_it() -> None:
    forward = [run_of(name, algorithm=name, block_order="forward") for name in ("liec", "psgd")]

    assert named([run_of("a"), *forward]) == {("ddp", ""), ("liec", ""), ("psgd", "")}
    assert named([run_of("a"), *forward, run_of("b", algorithm="liec")]) == {
        ("ddp", ""),
        ("liec blocks forward", ""),
        ("liec blocks backward", ""),
        ("psgd", ""),
    }


def test_a_settings_label_has_the_fields_in_which_settings_differ() -> None:
    runs = [run_of("a"), run_of("b", link="1mbit", workers=4), run_of("c", link="1mbit", task={"batch_size": 16})]

    assert named(runs) == {
        ("ddp", "workers 2 · 20mbit · batch size 32"),
        ("ddp", "workers 4 · 1mbit · batch size 32"),
        ("ddp", "workers 2 · 1mbit · batch size 16"),
    }


def test_options_of_dataset_and_model_belong_to_the_setting() -> None:
    sizes = [{"dataset": {"name": "synthetic", "seed": size}, "model": {"name": "mlp", "width": size}} for size in "12"]
    runs = [
        run_of(size["model"]["width"] + ratio, task=size, compressor={"name": "mine", "width": ratio})
        for size, ratio in itertools.product(sizes, ("low", "high"))
    ]

    assert named(runs) == {(f"ddp {ratio}", f"{size} · {size}") for ratio in ("low", "high") for size in "12"}


@pytest.mark.parametrize(
    "changes",
    [
        {"workers": [2, 4, 8]},
        {"link": ["1mbit", {"up": "1mbit", "down": "2mbit"}, "none", "wifi"]},
        {"timing": ["measured", "composed"]},
        {"server": [None, "root", "sharded"]},
        {"compressor": [None, {"name": "sign"}, {"name": "top_k", "ratio": 0.1}, {"name": "top_k", "ratio": 0.2}]},
        {"task": [{"schedule": s} for s in (None, "cosine", {"milestones": [1], "factor": 0.1})]},
        {"task": [{"partition": p} for p in ("iid", {"dirichlet": 0.1}, {"dirichlet": 1.0})]},
        {"task": [{"dataset": {"name": "text", "characters": n}} for n in (None, 100)]},
        {"backend": ["gloo", "nccl"], "device": ["cpu", "cuda"], "threads": [1, 2]},
        {"block_bytes": ["whole", 1000], "enforcement": ["kernel", "process"]},
    ],
    ids=str,
)
def test_every_row_has_a_label_of_its_own(changes: dict[str, list[Any]]) -> None:
    cases = [dict(zip(changes, values, strict=True)) for values in itertools.product(*changes.values())]
    runs = [
        run_of(f"{algorithm}{case}", algorithm=algorithm, **case) for algorithm in ("ddp", "psgd") for case in cases
    ]

    assert len(named(runs)) == len(runs)


def test_identity_names_a_method_only_beside_another_compressor_of_its_algorithm() -> None:
    sign, exact = (
        run_of("s", algorithm="memsgd", compressor="sign"),
        run_of("m", algorithm="memsgd", compressor="identity"),
    )
    other = run_of("o", algorithm="ef21", compressor="sign")

    assert named([exact, other]) == {("memsgd", ""), ("ef21 sign", "")}
    assert named([exact, sign]) == {("memsgd identity", ""), ("memsgd sign", "")}


def test_a_label_leaves_out_the_field_on_the_axis() -> None:
    rows = rows_of(run_of("a"), run_of("b", link="1mbit"), run_of("c", workers=4))
    labels = Labels(rows)

    assert {labels.whole(row, without=("link",)) for row in rows} == {"ddp · workers 2", "ddp · workers 4"}


def test_variants_count_within_an_algorithm() -> None:
    runs = [run_of("a"), run_of("w", workers=4)]
    for ratio in (0.1, 0.2, 0.3):
        runs.append(run_of(str(ratio), algorithm="psgd", compressor={"name": "top_k", "ratio": ratio}))
    rows = rows_of(*runs)
    labels = Labels(rows)
    variants = {(row.fields["algorithm"], row.fields.get("ratio"), labels.variant(row)) for row in rows}

    assert variants == {("ddp", None, 0), ("psgd", 0.1, 0), ("psgd", 0.2, 1), ("psgd", 0.3, 2)}


@pytest.mark.parametrize(
    ("value", "expected"),
    [("root", "root"), (4, "batch size 4"), (True, "batch_size"), ({"a": 1}, '{"a": 1}')],
)
def test_a_field_label_names_the_field_unless_the_value_is_a_word(value: object, expected: str) -> None:
    actual = field_label(value, "batch_size")

    assert expected == actual


def test_with_one_method_curves_are_its_settings() -> None:
    rows = rows_of(run_of("a"), run_of("b", workers=4))
    labels = Labels(rows)

    assert [labels.curve(row) for row in rows] == [("ddp · workers 2", None), ("ddp · workers 4", None)]
    assert len({labels.colour_key(row) for row in rows}) == 2
    assert set(labels.colour_keys) == {"ddp", "ddp · workers 2", "ddp · workers 4"}


def test_with_several_methods_each_setting_has_its_own_curves() -> None:
    rows = rows_of(run_of("a"), run_of("b", workers=4), run_of("c", algorithm="psgd"))
    labels = Labels(rows)

    assert {labels.curve(row) for row in rows} == {
        ("ddp", "workers 2"),
        ("ddp", "workers 4"),
        ("psgd", "workers 2"),
    }
    assert {labels.colour_key(row) for row in rows} == {"ddp", "psgd"}
