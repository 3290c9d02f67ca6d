"""The scripts, the pre-commit hooks and CI call the same tools."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import SLOWEST_FILES

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def hooks() -> list[dict[str, Any]]:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    return list(repository["hooks"])


def test_every_tool_of_the_check_is_a_hook(hooks: list[dict[str, Any]]) -> None:
    lines = (ROOT / "scripts" / "check").read_text().partition("set -x\n")[2].splitlines()
    tools = [line.partition(" --check")[0].removesuffix(" .") for line in lines if not line.startswith("pytest")]
    entries = [hook["entry"].removeprefix(".venv/bin/").removesuffix(" --force-exclude") for hook in hooks]

    assert tools == entries


def test_the_check_runs_tests_that_exist() -> None:
    text = (ROOT / "scripts" / "check").read_text()

    assert all((ROOT / path).exists() for path in re.findall(r"tests/\S+", text))


def test_the_slowest_files_exist() -> None:
    assert [name for name in SLOWEST_FILES if not (ROOT / "tests" / name).exists()] == []


@pytest.mark.parametrize("end", ["scripts/test", "quickstart.yaml"])
def test_the_readme_has_each_command_of_ci_once(end: str) -> None:
    commands = re.findall(rf"^python3 -m venv .*{end}$", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert len(commands) == 1
    assert f"readme_command '{end}'" in (ROOT / ".ci" / "run").read_text()
