import json
from typing import Any

from liecbench.report import json_rows
from liecbench.results.task_differences import task_differences
from tests.ledgers import comparison_of, run_of, spec

ADAMW = {"name": "adamw", "betas": [0.9, 0.95], "eps": 1e-8, "amsgrad": False}
ADAM_TASK: dict[str, Any] = {"optimizer": ADAMW, "weight_decay": 0.1, "clip_grad_norm": 1.0}


def test_fields_that_a_spec_lacks_have_their_defaults() -> None:
    own, baseline = spec(task={"learning_rate": 0.5, "warmup_steps": 3}), spec(task=ADAM_TASK)

    assert task_differences(own, baseline) == {
        "optimizer": ({"name": "sgd"}, ADAMW),
        "clip_grad_norm": (None, 1.0),
        "learning_rate": (0.5, baseline["task"]["learning_rate"]),
        "weight_decay": (0.0, 0.1),
    }
    assert task_differences(baseline, spec(task={**ADAM_TASK, "partition": "iid", "accumulate": 1})) == {}


def test_rows_and_the_verdict_say_what_a_row_is_trained_with_instead() -> None:
    fields: dict[str, Any] = {"timing": "end_to_end"}
    both = [
        run_of("d", [{"seconds": 2.0}], algorithm="ddp", task=ADAM_TASK, **fields),
        run_of("l", [{"seconds": 2.0}], algorithm="liec", task={**ADAM_TASK, "learning_rate": 0.5}, **fields),
        run_of("p", [{"seconds": 2.0}], algorithm="psgd", task=ADAM_TASK, **fields),
        run_of(
            "m", [{"seconds": 2.0}], algorithm="memsgd", task={"weight_decay": 0.1, "clip_grad_norm": 1.0}, **fields
        ),
    ]
    compared = comparison_of(*both)
    rows = {row["algorithm"]: row for row in json.loads(json_rows.render(compared))["rows"]}

    assert rows["liec"]["task_differences"] == {"learning_rate": {"own": 0.5, "baseline": 0.1}}
    assert ("other_task" in rows["liec"]["flags"], "other_task" in rows["psgd"]["flags"]) == (True, False)
    (line,) = [line for line in compared.verdict if line.startswith("trained otherwise than ddp: ")]
    assert "liec (learning rate 0.5 instead of 0.1)" in line
    assert "memsgd (optimizer sgd instead of adamw)" in line
