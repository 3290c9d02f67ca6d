import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.config.cell import Cell
from tests.scenarios import edited, scenario

CANONICAL = (
    '{"algorithm":{"average_period":32,"name":"liec","rescale_memory":false},"backend":"gloo","block_bytes":26214400,'
    '"compressor":{"name":"sign"},"device":"cpu","enforcement":"kernel","link":{"down":"100mbit","up":"20mbit"},"seed":3,"server":"sharded",'
    '"task":{"batch_size":32,"dataset":{"name":"digits"},"epochs":2,"learning_rate":0.1,'
    '"model":{"layers":2,"name":"mlp","width":256},"momentum":0.0,"precision":"fp32",'
    '"schedule":{"factor":0.1,"milestones":[1]},"warmup_steps":0,"weight_decay":0.0},'
    '"threads":1,"timing":"measured","workers":2}'
)


def test_a_cell_resolves_every_default() -> None:
    loaded = scenario(edited("[ddp, liec]", "liec") + "  seed: 3\n  link: {up: 20mbit, down: 100mbit}\n")
    cell = loaded.measured().cells()[0]
    task = json.loads(CANONICAL)["task"] | {"schedule": None}
    expected = json.loads(CANONICAL) | {"task": task, "timing": "interleaved"}

    assert expected == cell.spec()


def test_the_id_is_the_hash_of_the_canonical_json() -> None:
    cell = Cell.from_spec(json.loads(CANONICAL))

    assert hashlib.sha256(CANONICAL.encode()).hexdigest()[:12] == cell.id


def test_the_id_of_stored_results_never_changes() -> None:
    cell = Cell.from_spec(json.loads(CANONICAL))

    assert cell.id == "599fb3d4c31d"


@given(
    st.permutations(list(json.loads(CANONICAL).items())), st.permutations(list(json.loads(CANONICAL)["task"].items()))
)
def test_the_id_does_not_depend_on_the_order_of_keys(
    fields: list[tuple[str, Any]], task: list[tuple[str, Any]]
) -> None:
    actual = Cell.from_spec({**dict(fields), "task": dict(task)}).id

    assert Cell.from_spec(json.loads(CANONICAL)).id == actual


@pytest.mark.parametrize(
    "change",
    [
        {"algorithm": {"name": "psgd"}},
        {"algorithm": {"name": "liec", "average_period": 31}},
        {"backend": "nccl"},
        {"block_bytes": 26214401},
        {"block_bytes": "whole"},
        {"block_order": "forward"},
        {"compressor": {"name": "top_k"}},
        {"compressor": None},
        {"device": "cuda"},
        {"link": {"up": "20mbit", "down": "101mbit"}},
        {"link": {"up": "21mbit", "down": "100mbit"}},
        {"link": "none"},
        {"seed": 4},
        {"server": "root"},
        {"server": None},
        {"threads": 2},
        {"timing": "composed"},
        {"workers": 3},
        {"task": {"batch_size": 33}},
        {"task": {"dataset": {"name": "digits", "part": 1}}},
        {"task": {"epochs": 3}},
        {"task": {"last_batch": "keep"}},
        {"task": {"learning_rate": 0.2}},
        {"task": {"model": {"name": "mlp", "layers": 2, "width": 255}}},
        {"task": {"momentum": 0.9}},
        {"task": {"precision": "bf16"}},
        {"task": {"schedule": None}},
        {"task": {"schedule": "cosine"}},
        {"task": {"schedule": {"milestones": [1], "factor": 0.2}}},
        {"task": {"warmup_steps": 1}},
        {"task": {"weight_decay": 0.1}},
    ],
    ids=str,
)
def test_the_id_changes_with_every_field(change: dict[str, Any]) -> None:
    fields = json.loads(CANONICAL)
    task = {**fields["task"], **change.get("task", {})}
    changed = Cell.from_spec({**fields, **change, "task": task})

    assert Cell.from_spec(fields).id != changed.id


@given(
    st.integers(0, 2**40), st.integers(1, 64), st.sampled_from(["none", "1mbit", {"up": "2.5mbit", "down": "1gbit"}])
)
def test_specs_read_back_as_the_same_cell(seed: int, workers: int, link: object) -> None:
    cell = Cell.from_spec({**json.loads(CANONICAL), "seed": seed, "workers": workers, "link": link})

    assert cell == Cell.from_spec(json.loads(json.dumps(cell.spec())))
