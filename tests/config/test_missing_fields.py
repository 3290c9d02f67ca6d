"""Fields that a task must have: where they may be given, and which of them are missing."""

import pytest

from liecbench.config.missing_fields import check_missing_fields
from liecbench.config.yaml_source import parse
from tests.scenarios import edited, error_of, scenario

ALL = "dataset: digits, model: mlp, batch_size: 8, epochs: 1, learning_rate: 0.1"
MISSING = "the key is missing; add it under task or matrix"


def missing(text: str) -> list[str | int]:
    mistakes = list(check_missing_fields(parse(text, "s.yaml")))
    assert all(mistake.path[0] == "task" and mistake.message == MISSING for mistake in mistakes)
    return [mistake.path[1] for mistake in mistakes]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{{task: {{{ALL}}}, matrix: {{algorithm: [ddp]}}}}", []),
        ("{task: {model: mlp}, matrix: {batch_size: [1, 2], epochs: 1}}", ["dataset", "learning_rate"]),
        (f"{{task: {{}}, matrix: {{algorithm: [{{name: ddp, task: {{{ALL}}}}}]}}}}", []),
        (f"{{task: {{}}, matrix: {{algorithm: {{name: ddp, task: {{{ALL}}}}}}}}}", []),
        (
            "{task: {dataset: d, model: m, batch_size: 1, learning_rate: 1}, "
            "matrix: {algorithm: [{name: ddp, task: {epochs: 1}}, psgd]}}",
            ["epochs"],
        ),
        ("{task: {profile: p}, matrix: {}}", []),
        ("{task: {batch_size: 1, epochs: 1, learning_rate: 1}, matrix: {model: ['m:f', {name: 'm:g'}]}}", []),
        ("{task: {batch_size: 1, epochs: 1, learning_rate: 1}, matrix: {model: ['m:f', mlp]}}", ["dataset"]),
        (
            f"{{task: {{}}, matrix: {{algorithm: [{{name: ddp, task: {{{ALL}}}}}, {{name: psgd, task: {{{ALL}}}}}]}}, "
            "include: [{workers: 3}, {algorithm: [ddp, liec], epochs: [3, 4], learning_rate: 1}]}",
            ["dataset", "model", "batch_size"],
        ),
        ("{task: {model: mlp, dataset: d, epoch: 3, batchsize: 3}, matrix: {lerning_rate: 3}}", []),
        ("{task: {model: mlp, dataset: d, batch_size: 1, learning_rate: 3}, matrix: {}, epochs: 3}", []),
        ("{task: 3, matrix: {}}", []),
        ("{task: {}, matrix: []}", []),
        ("{}", []),
    ],
    ids=[
        "all in the task",
        "some in the matrix",
        "all in the only algorithm",
        "all in an algorithm that is no list",
        "of one algorithm only",
        "a profile",
        "a model with data of its own",
        "a model without data beside one with them",
        "of included cells",
        "misspelt",
        "at the top level",
        "no mapping for the task",
        "no mapping for the matrix",
        "neither",
    ],
)
def test_missing_fields_are_found(text: str, expected: list[str]) -> None:
    assert missing(text) == expected


def test_what_is_not_missing_makes_cells() -> None:
    text = edited("  epochs: 2\n", "").replace("[ddp, liec]", "[{name: ddp, task: {epochs: 1}}]")

    assert [cell.task.epochs for cell in scenario(text).cells()] == [1]
    assert error_of(f"{text}include: [{{algorithm: liec}}]\n") == f"s.yaml:3:3: task.epochs: {MISSING}"
