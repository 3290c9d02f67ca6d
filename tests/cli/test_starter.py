from pathlib import Path

import pytest

from liecbench.cli.starter import answered
from liecbench.config.loader import check
from liecbench.config.yaml_source import load, parse
from tests.cli.on_terminal import run_on_terminal

STARTER = Path(__file__).parents[2] / "liecbench" / "cli" / "starter.yaml"


def test_on_a_terminal_three_answers_make_the_scenario(tmp_path: Path) -> None:
    answers = b"gtp\ngpt\n5 bananas\n1gbit\n0\n8\n"  # each question has a wrong answer first
    text = run_on_terminal(["init", "mine.yaml"], typed=answers, directory=tmp_path)

    assert "did you mean gpt" in text
    found = load(tmp_path / "mine.yaml").data
    assert (found["name"], found["task"]["model"], found["task"]["dataset"]) == ("mine", "gpt", "text")
    assert (found["matrix"]["link"], found["matrix"]["workers"]) == (["1gbit"], [8])


@pytest.mark.parametrize("model", ["mlp", "cnn", "resnet18", "resnet34", "gpt", "tests.own_tasks:linear"])
def test_the_starter_is_a_scenario_with_any_model(model: str) -> None:
    text = answered(STARTER.read_text(encoding="utf-8"), model=model, link="lte", workers="2")
    document = parse(text, "scenario.yaml")

    assert len(check(document, lambda _: []).cells()) == 3
