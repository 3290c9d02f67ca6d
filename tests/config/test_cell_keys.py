from typing import Any

import pytest

from liecbench.config.cell import Cell
from liecbench.config.cell_keys import contestant_key, setting_key
from tests.ledgers import spec

DIGITS = 12


def cell(task: dict[str, Any] | None = None, **changes: Any) -> Cell:
    return Cell.from_spec(spec(task=task, **{"timing": "interleaved", **changes}))


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ({}, {"seed": 7}),
        ({"epochs": 9}, {}),
        ({"learning_rate": 0.9}, {}),
        ({"schedule": "cosine"}, {}),
        ({"weight_decay": 0.1}, {}),
        ({"partition": {"dirichlet": 0.1}}, {}),
        ({"warmup_steps": 3}, {}),
        ({}, {"timing": "end_to_end"}),
    ],
    ids=str,
)
def test_fields_without_effect_on_a_step_do_not_change_the_contestant(
    task: dict[str, Any], changes: dict[str, Any]
) -> None:
    one, other = cell(), cell(task, **changes)

    assert (one.contestant, one.setting) == (other.contestant, other.setting)
    assert (len(one.contestant), len(one.setting)) == (DIGITS, DIGITS)
    assert one.id != other.id


@pytest.mark.parametrize("model", ["resnet18", "my_models.py:build"])
def test_heterogeneous_data_change_the_contestant_of_a_model_that_may_have_buffers(model: str) -> None:
    fields = spec(task={"model": {"name": model}})
    partitions = [{}, {"partition": {"dirichlet": 0.1}}, {"partition": {"dirichlet": 1.0}}]
    iid, some, other = ({**fields, "task": {**fields["task"], **partition}} for partition in partitions)

    assert (contestant_key(some) == contestant_key(other), contestant_key(some) == contestant_key(iid)) == (True, False)
    assert setting_key(some) == setting_key(iid)


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ({}, {"algorithm": {"name": "psgd"}}),
        ({}, {"compressor": {"name": "sign"}}),
        ({}, {"server": "root"}),
        ({}, {"block_bytes": "whole"}),
        ({"momentum": 0.9}, {}),
    ],
    ids=str,
)
def test_methods_are_contestants_of_one_setting(task: dict[str, Any], changes: dict[str, Any]) -> None:
    fields = {**cell().spec(), **changes}
    other = Cell.from_spec({**fields, "task": {**fields["task"], **task}})

    assert (cell().setting, True) == (other.setting, other.contestant != cell().contestant)


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ({"dataset": {"name": "text"}}, {}),
        ({"model": {"name": "cnn"}}, {}),
        ({"batch_size": 16}, {}),
        ({"precision": "bf16"}, {}),
        ({}, {"workers": 3}),
        ({}, {"link": "21mbit"}),
        ({}, {"threads": 2}),
        ({}, {"backend": "nccl"}),
        ({}, {"device": "cuda"}),
        ({}, {"enforcement": "process"}),
    ],
    ids=str,
)
def test_other_fields_are_another_setting(task: dict[str, Any], changes: dict[str, Any]) -> None:
    other = cell(task, **changes)

    assert (other.setting != cell().setting, other.contestant != cell().contestant) == (True, True)


@pytest.mark.parametrize(("link", "lifted"), [("20mbit", "none"), ("none", "none"), ("host", "host")])
def test_all_links_share_a_trajectory(link: str, lifted: str) -> None:
    trajectory = cell(link=link, enforcement="process").trajectory

    assert (trajectory.link.spec(), trajectory.timing, trajectory.enforcement) == (lifted, "trajectory", "kernel")
    assert trajectory.id == Cell.from_spec({**spec(link=lifted), "timing": "trajectory"}).id
