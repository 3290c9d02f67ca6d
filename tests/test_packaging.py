"""The version, stated once in liecbench/__init__.py, the wheel and the source distribution."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

import liecbench
from liecbench.host.machine import describe

ROOT = Path(__file__).parents[1]
RUN_BY_NAME = """
import liecbench
results = liecbench.run(
    "ci",
    only={"algorithm": "ddp", "seed": 0},
    overrides={"timing": "end_to_end", "enforcement": "process", "task.epochs": 1, "matrix.link": ["none"]},
    quiet=True,
)
print([(row["epoch"], row["status"]) for row in results.epochs], "figures" in dir(results))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = directory.iterdir()
    return path


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked."""
    directory = tmp_path_factory.mktemp("sdist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(directory)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = directory.iterdir()
    shutil.unpack_archive(path, directory, filter="data")
    return directory / f"liecbench-{liecbench.__version__}"


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


def test_the_wheel_has_the_scenarios_and_their_profiles(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as contents:
        bundled = {name: contents.read(name) for name in contents.namelist() if name.startswith("liecbench/scenarios/")}

    assert bundled == {
        f"liecbench/{path.relative_to(ROOT).as_posix()}": path.read_bytes()
        for path in (ROOT / "scenarios").rglob("*")
        if path.is_file()
    }


def test_a_wheel_of_the_source_distribution_is_that_of_the_checkout(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=sdist, check=True, capture_output=True)
    (built,) = tmp_path.iterdir()

    with zipfile.ZipFile(built) as first, zipfile.ZipFile(wheel) as second:
        assert sorted(first.namelist()) == sorted(second.namelist())


@pytest.mark.long
def test_the_wheel_works_by_a_scenarios_name_in_an_environment_without_a_checkout(wheel: Path, tmp_path: Path) -> None:
    environment, work = tmp_path / "environment", tmp_path / "work"
    work.mkdir()
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", str(wheel)], check=True, capture_output=True, timeout=200)
    (packages,) = environment.glob("lib/python*/site-packages")
    # Its dependencies are those of these tests. A path in a .pth file is no site directory: this checkout's own .pth
    # file, if there is one, has no effect there.
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")

    def printed(*words: str) -> str:
        command = [str(environment / "bin" / words[0]), *words[1:]]
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(command, cwd=work, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert printed("python", "-c", "import liecbench; print(liecbench.__file__)").startswith(str(packages))
    assert "50 cells, 0 of them done; results in results/quickstart" in printed(
        "liecbench", "run", "quickstart", "--dry-run"
    )
    assert "quickstart" in printed("liecbench", "list", "scenarios")
    (work / "run.py").write_text(RUN_BY_NAME)
    assert printed("python", "run.py") == "[(1, 'completed')] True\n"
    assert printed("liecbench", "compare", "results/ci", "--format", "json").startswith('{"rows": [')


def test_every_pinned_version_asks_for_a_python_that_has_it() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]

    assert pins
    assert [pin for pin in pins if not pin.endswith(' ; python_version >= "3.11"')] == []
