import pytest

from liecbench.config.axes import TASK_FIELDS
from tests.scenarios import edited, error_of, scenario

VALUES = {
    "profile": '"h100-resnet18"',
    "dataset": '"digits"',
    "model": '{"name": "mlp", "width": 8}',
    "batch_size": "16",
    "epochs": "3",
    "learning_rate": "0.5",
    "schedule": '{"milestones": [1], "factor": 0.5}',
    "optimizer": '"adamw"',
    "momentum": "0.9",
    "weight_decay": "0.1",
    "clip_grad_norm": "1.0",
    "accumulate": "2",
    "last_batch": '"keep"',
    "partition": '{"dirichlet": 0.5}',
    "precision": '"bf16"',
    "warmup_steps": "1",
}


def entry(text: str) -> str:
    return edited("[ddp, liec]", f"[ddp, {{name: memsgd, {text}}}]")


def test_every_task_field_is_known_here() -> None:
    assert set(VALUES) == set(TASK_FIELDS)


@pytest.mark.parametrize(("field", "value"), VALUES.items())
def test_a_task_field_among_the_options_is_told_its_place(field: str, value: str) -> None:
    assert error_of(entry(f"{field}: {value}")) == (
        f"s.yaml:9:35: matrix.algorithm[1].{field}: memsgd has no option '{field}' "
        f"(it is a field of the task: write task: {{{field}: {value}}} in this entry)"
    )


@pytest.mark.parametrize(("field", "value"), VALUES.items())
def test_the_place_that_the_message_names_takes_the_field(field: str, value: str) -> None:
    text = entry(f"task: {{{field}: {value}}}")
    if field == "profile":  # the rest of this scenario trains, which a profile does not
        assert "s.yaml:3:3: task.dataset: a task with a profile is only timed" in error_of(text)
    else:
        assert {cell.algorithm.name for cell in scenario(text).cells()} == {"ddp", "memsgd"}


def test_a_field_is_added_to_the_task_that_an_entry_has() -> None:
    message = error_of(entry("accumulate: 2, task: {epochs: 3}"))

    assert message.endswith("(it is a field of the task: add accumulate: 2 to the task of this entry)")


def test_an_entry_of_include_is_told_the_same() -> None:
    text = edited("workers: [2]\n", "workers: [2]\ninclude: [{algorithm: {name: memsgd, epochs: 3}, workers: 4}]\n")

    assert error_of(text).endswith("(it is a field of the task: write task: {epochs: 3} in this entry)")


def test_a_long_value_is_not_repeated() -> None:
    milestones = list(range(1, 40))
    message = error_of(entry(f"schedule: {{milestones: {milestones}, factor: 0.5}}"))

    assert message.endswith("write task: {schedule: …} in this entry)")


def test_options_that_share_a_name_with_a_task_field_and_other_mistakes_keep_their_messages() -> None:
    assert "is a field of the task" not in error_of(edited("[ddp, liec]", "[ddp, {name: dgc, momentum: -1}]"))
    assert error_of(entry("accumulated: 2")).endswith("memsgd has no option 'accumulated' (valid: rescale_memory)")
    assert error_of(edited("[sign]", "[{name: sign, epochs: 1}]")).endswith("has no option 'epochs' (it takes none)")
