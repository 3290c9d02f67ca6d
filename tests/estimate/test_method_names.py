from typing import Any

import pytest

from liecbench.estimate.method_names import method_names
from tests.estimate.estimated_cells import cell, liec


def averaging(period: int, *, rescale_memory: bool) -> dict[str, Any]:
    return {"name": "liec", "average_period": period, "rescale_memory": rescale_memory}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([cell("ddp"), liec()], ["ddp", "liec(sign)"]),
        (
            [
                cell(averaging(8, rescale_memory=False), compressor="sign"),
                cell(averaging(32, rescale_memory=False), compressor="sign"),
                cell({"name": "memsgd", "rescale_memory": True}, compressor="sign"),
            ],
            ["liec(sign) average period 8", "liec(sign) average period 32", "memsgd(sign)"],
        ),
        (
            [cell("ddp", seed=0), cell("ddp", seed=1), cell("ddp", workers=4), cell("ddp", link="none")],
            ["ddp"] * 4,
        ),
        (
            [cell("psgd", compressor="sign", server=server) for server in ("root", "sharded")],
            ["psgd(sign) server root", "psgd(sign) server sharded"],
        ),
        (
            [cell("ddp", task={"learning_rate": rate}) for rate in (0.1, 0.5)],
            ["ddp learning rate 0.1", "ddp learning rate 0.5"],
        ),
        ([cell("ddp", task={"learning_rate": 0.1}), liec(task={"learning_rate": 0.5})], ["ddp", "liec(sign)"]),
        ([cell("ddp", workers=2, task={"epochs": 2}), cell("ddp", workers=4, task={"epochs": 3})], ["ddp", "ddp"]),
        (
            [cell("ddp", task={"clip_grad_norm": norm}) for norm in (None, 1.0)],
            ["ddp", "ddp clip grad norm 1.0"],
        ),
    ],
    ids=[
        "other algorithms",
        "an option that differs only from another algorithm's",
        "fields that stand elsewhere in the line",
        "the server",
        "a field of the task",
        "a field of the task that differs only from another algorithm's",
        "a field of the task that differs only from another setting's",
        "a value that only one has",
    ],
)
def test_names_have_what_tells_cells_apart(cells: list[Any], expected: list[str]) -> None:
    assert method_names(cells) == expected
