import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from liecbench.cli.starter import answered
from liecbench.config.loader import check
from liecbench.config.yaml_source import load, parse

STARTER = Path(__file__).parents[2] / "liecbench" / "cli" / "starter.yaml"


def test_on_a_terminal_three_answers_make_the_scenario(tmp_path: Path) -> None:
    shown, terminal = pty.openpty()
    command = [sys.executable, "-m", "liecbench", "init", "mine.yaml"]
    child = subprocess.Popen(command, cwd=tmp_path, stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    os.write(shown, b"gtp\ngpt\n5 bananas\n1gbit\n0\n8\n")  # each question has a wrong answer first
    text = b""
    while True:
        try:
            text += os.read(shown, 4096)
        except OSError:  # the terminal's other end is closed
            break
    os.close(shown)

    assert child.wait() == 0, text
    assert b"did you mean gpt" in text
    found = load(tmp_path / "mine.yaml").data
    assert (found["name"], found["task"]["model"], found["task"]["dataset"]) == ("mine", "gpt", "text")
    assert (found["matrix"]["link"], found["matrix"]["workers"]) == (["1gbit"], [8])


@pytest.mark.parametrize("model", ["mlp", "cnn", "resnet18", "resnet34", "gpt", "tests.own_tasks:linear"])
def test_the_starter_is_a_scenario_with_any_model(model: str) -> None:
    text = answered(STARTER.read_text(encoding="utf-8"), model=model, link="lte", workers="2")
    document = parse(text, "scenario.yaml")

    assert len(check(document, lambda _: []).cells()) == 3
