from collections.abc import Sequence

import pytest

from liecbench.config.cell import Cell
from liecbench.config.selection import select
from liecbench.errors import LiecbenchError
from tests.scenarios import scenario

TEXT = """\
name: example
task: {dataset: digits, model: mlp, batch_size: 32, epochs: 2, learning_rate: 0.1}
matrix:
  algorithm: [ddp, {name: liec, average_period: 8}]
  compressor: [sign]
  workers: [2, 4]
  link: [none, {up: 10mbit, down: 20mbit}]
"""


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return scenario(TEXT).cells()


def names(cells: Sequence[Cell]) -> list[str]:
    return [cell.describe().removesuffix(" · seed 0") for cell in cells]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["algorithm=ddp", "workers=2"], ["ddp · 2 workers · none", "ddp · 2 workers · 10mbit↑ 20mbit↓"]),
        (
            ["workers=4", "link=none"],
            ["ddp · 4 workers · none", "liec(sign) · 4 workers · none"],
        ),
        (["average_period=8", "workers=2", "link=none"], ["liec(sign) · 2 workers · none"]),
        (
            ["algorithm=liec", "algorithm=ddp", "workers=2", "link=none"],
            ["ddp · 2 workers · none", "liec(sign) · 2 workers · none"],
        ),
        (["compressor=None", "workers=2", "link=none"], ["ddp · 2 workers · none"]),
        (["learning_rate=0.1", "algorithm=ddp", "workers=4", "link=none"], ["ddp · 4 workers · none"]),
    ],
)
def test_conditions_choose_any_of_a_keys_values_and_all_keys(
    cells: list[Cell], conditions: list[str], expected: list[str]
) -> None:
    actual = names(select(cells, conditions))

    assert expected == actual


def test_without_conditions_every_cell_is_chosen(cells: list[Cell]) -> None:
    assert (8, cells) == (len(cells), select(cells, []))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("algoritm=ddp", "--only algoritm=ddp: the cells have no 'algoritm'; did you mean algorithm?"),
        ("algorithm", "--only algorithm: not KEY=VALUE"),
        ("=ddp", "--only =ddp: the cells have no ''; valid: accumulate, "),
        ("algorithm=zzz", "no cell matches `--only algorithm=zzz`; algorithm is ddp or liec"),
        ("algorithm=", "no cell matches `--only algorithm=`; algorithm is ddp or liec"),
        ("workers=3", "no cell matches `--only workers=3`; workers is 2 or 4"),
    ],
)
def test_a_condition_that_chooses_nothing_is_a_mistake(cells: list[Cell], condition: str, expected: str) -> None:
    with pytest.raises(LiecbenchError) as raised:
        select(cells, [condition])

    assert expected == str(raised.value)[: len(expected)]


def test_conditions_that_exclude_each_other_are_a_mistake(cells: list[Cell]) -> None:
    with pytest.raises(LiecbenchError) as raised:
        select(cells, ["algorithm=ddp", "average_period=8"])

    assert str(raised.value) == (
        "no cell matches `--only algorithm=ddp average_period=8`; no cell meets all of these conditions: leave one out"
    )
