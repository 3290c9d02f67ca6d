"""The version, stated once in liecbench/__init__.py, and the wheel."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import liecbench
from liecbench.host.machine import describe

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = directory.iterdir()
    return path


def test_command_records_and_changelog_have_the_same_version() -> None:
    command = [sys.executable, "-m", "liecbench", "--version"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    newest = re.search(r"^## \[(\d.*?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert newest is not None
    assert [liecbench.__version__] * 3 == [printed, describe(threads=1)["liecbench"], newest[1]]


def test_the_wheel_has_the_version_and_the_packages_types(wheel: Path) -> None:
    assert wheel.name == f"liecbench-{liecbench.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as contents:
        names = contents.namelist()

    assert "liecbench/py.typed" in names
    assert {name.partition("/")[0] for name in names} == {"liecbench", f"liecbench-{liecbench.__version__}.dist-info"}


def test_the_wheel_names_its_licence_authors_and_paper(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as contents:
        metadata = contents.read(f"liecbench-{liecbench.__version__}.dist-info/METADATA").decode()

    assert "License-Expression: MIT" in metadata
    assert "Author: The liecbench developers" in metadata
    assert "Project-URL: Paper, https://arxiv.org/abs/2402.11857" in metadata


def test_every_pinned_version_asks_for_a_python_that_has_it() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]

    assert pins
    assert [pin for pin in pins if not pin.endswith(' ; python_version >= "3.11"')] == []
