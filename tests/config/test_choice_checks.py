"""Names and options of choices: where they are looked for, and which mistakes are found."""

from collections.abc import Iterator

import pytest

from liecbench.config.choice_checks import check_choice, check_choices
from liecbench.config.mistakes import Mistake
from liecbench.config.yaml_source import dotted, parse
from tests.scenarios import BASE, edited, error_of


def paths(mistakes: Iterator[Mistake]) -> list[str]:
    return [dotted(mistake.path) for mistake in mistakes]


def test_choices_are_checked_in_every_section() -> None:
    text = """\
task: {dataset: digitz, model: {name: mlp, widht: 3}, optimizer: adamm}
matrix: {algorithm: [ddp, {name: psdg, task: {model: mpl}}], compressor: sing, optimizer: [{name: adamw, beta: 1}]}
exclude: [{compressor: {name: top_k, rtio: 1}}]
include: [{algorithm: ddpp}, {dataset: [digits, digit]}]
"""

    assert paths(check_choices(parse(text, "s.yaml"))) == [
        "task.dataset.name",
        "task.model.widht",
        "task.optimizer.name",
        "matrix.algorithm[1].name",
        "matrix.algorithm[1].task.model.name",
        "matrix.compressor[0].name",
        "matrix.optimizer[0].beta",
        "exclude[0].compressor.rtio",
        "include[0].algorithm[0].name",
        "include[1].dataset[1].name",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{task: 3, matrix: [ddpp], exclude: {algorithm: ddpp}, include: [ddpp]}",
        "{matrix: {algorithm: [3, null, {nam: ddpp}, {name: [ddpp]}], compressor: [{}]}}",
        "{algorithm: ddpp, task: {problem: foo, algorithm: ddpp, compressor: sing}, matrix: {problem: [foo]}}",
        "{include: [{problem: foo}], matrix: {algorithm: [{name: ddp, task: {problem: foo, algorithm: ddpp}}]}}",
    ],
    ids=["no sections", "sections of other types", "no names", "invalid keys", "invalid keys of entries"],
)
def test_what_is_no_choice_is_skipped(text: str) -> None:
    assert paths(check_choices(parse(text, "s.yaml"))) == []


def test_an_unknown_key_is_one_mistake() -> None:
    assert error_of(edited("epochs: 2", "epochs: 2\n  problem: foo")).startswith(
        "s.yaml:7:3: task.problem: there is no key 'problem' here"
    )
    assert "\n" not in error_of(f"{BASE}  problem: [foo]\n")


def test_all_wrong_options_of_a_choice_are_found() -> None:
    found = list(check_choice(("a",), "compressor", "top_k", {"rtio": 1, "ratio": 3}))

    assert [(mistake.path, mistake.at_key) for mistake in found] == [(("a", "rtio"), True), (("a", "ratio"), True)]
