"""A valid scenario, and functions that change it for a test."""

from pathlib import Path

import pytest

from liecbench.config.loader import check
from liecbench.config.overrides import override_all
from liecbench.config.scenario import Scenario
from liecbench.config.yaml_source import parse
from liecbench.errors import ScenarioError

DIRECTORY = Path(__file__).parents[1] / "scenarios"
# Those that train; a file with studies is for `liecbench theory`.
BUNDLED = [path for path in sorted(DIRECTORY.rglob("*.yaml")) if "\nstudies:" not in path.read_text(encoding="utf-8")]
BASE = """\
name: example
task:
  dataset: digits
  model: mlp
  batch_size: 32
  epochs: 2
  learning_rate: 0.1
matrix:
  algorithm: [ddp, liec]
  compressor: [sign]
  workers: [2]
"""


def scenario(text: str) -> Scenario:
    return check(parse(text, "s.yaml"))


def edited(old: str, new: str) -> str:
    assert old in BASE, old
    return BASE.replace(old, new)


def error_of(text: str, *assignments: str) -> str:
    with pytest.raises(ScenarioError) as raised:
        check(override_all(parse(text, "s.yaml"), assignments))
    return str(raised.value)


def names_of(text: str) -> list[str]:
    return [cell.describe() for cell in scenario(text).cells()]
