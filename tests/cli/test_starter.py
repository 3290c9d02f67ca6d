from pathlib import Path

import pytest
import yaml

from liecbench.cli.starter import answered
from liecbench.config.loader import check, load_scenario
from liecbench.config.yaml_source import load, parse
from tests.cli.in_process import run_in_process
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


def test_init_writes_a_scenario_that_runs(tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    done = run_in_process("init", path)

    assert (0, "", f"wrote {path}; next: liecbench run {path} --dry-run\n", ["ddp", "ddp_bf16", "liec"]) == (
        done.returncode,
        done.stdout,
        done.stderr,
        [cell.algorithm.name for cell in load_scenario(path).cells()],
    )


def test_init_writes_scenario_yaml_by_default(tmp_path: Path) -> None:
    run_in_process("init", directory=tmp_path)
    written = yaml.safe_load((tmp_path / "scenario.yaml").read_text())

    assert {"name", "task", "matrix", "baseline", "target_accuracy"} == set(written)


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("mine")
    done = run_in_process("init", path)

    assert (2, f"liecbench: {path} exists already; give another name, or remove it\n", "mine") == (
        done.returncode,
        done.stderr,
        path.read_text(),
    )
