import os
import platform
import sys
import sysconfig
import venv
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import pytest

import liecbench
from liecbench.check.paired.interpreters import Installation, inspect
from liecbench.errors import LiecbenchError
from liecbench.worker.paired_worker import PROTOCOL

REMEDY = "give a Python ≥ 3.11 that has liecbench, such as ENVIRONMENT/bin/python"


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment with nothing in it."""
    directory = tmp_path / "environment"
    venv.EnvBuilder(symlinks=True).create(directory)
    return directory


def install(environment: Path, versions: Mapping[str, str], turns: str | None = None) -> Path:
    """Put distributions of these versions into an environment, and a liecbench with ``turns``; its interpreter."""
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(environment)}))
    for name, number in versions.items():
        metadata = packages / f"{name}-{number}.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")
    if turns is not None:
        worker = packages / "liecbench" / "worker"
        worker.mkdir(parents=True)
        (worker / "paired_worker.py").write_text(turns)
    return environment / "bin" / "python"


def refusal(python: str | Path, protocol: int = 3) -> str:
    with pytest.raises(LiecbenchError) as raised:
        inspect(python, protocol)
    return str(raised.value)


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_this_interpreter_can_take_turns_with_itself() -> None:
    expected = Installation(
        path=Path(sys.executable),
        python=platform.python_version(),
        liecbench=version("liecbench"),
        torch=version("torch"),
        protocol=PROTOCOL,
    )

    assert expected == inspect(Path(sys.executable), PROTOCOL)


def test_a_virtual_environment_is_not_taken_for_its_origin(environment: Path) -> None:
    python = install(environment, {"liecbench": "7.1", "torch": "9.2"}, turns="PROTOCOL = 3\n")

    expected = Installation(path=python, python=platform.python_version(), liecbench="7.1", torch="9.2", protocol=3)

    assert (True, expected) == (python.is_symlink(), inspect(python, 3))


def test_a_relative_path_becomes_absolute(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = install(environment, {"liecbench": "7.1", "torch": "9.2"}, turns="PROTOCOL = 3\n")
    monkeypatch.chdir(environment.parent)

    assert python == inspect("environment/bin/python", 3).path


def test_a_bare_name_is_looked_up_in_path(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = install(environment, {"liecbench": "7.1", "torch": "9.2"}, turns="PROTOCOL = 3\n")
    monkeypatch.setenv("PATH", str(python.parent), prepend=os.pathsep)

    assert python == inspect("python", 3).path


def test_what_is_in_the_current_directory_is_not_asked(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = install(environment, {})
    monkeypatch.chdir(Path(liecbench.__file__).parents[1])

    assert refusal(python) == f"{python}: no liecbench is installed there; install it there"


@pytest.mark.parametrize(
    ("turns", "spoken"),
    [(None, "none"), ("PROTOCOL = 2\n", "2"), ("PROTOCOL = 4\n", "4")],
)
def test_another_protocol_is_refused(environment: Path, turns: str | None, spoken: str) -> None:
    python = install(environment, {"liecbench": "7.1", "torch": "9.2"}, turns=turns)

    assert refusal(python) == (
        f"{python}: its liecbench 7.1 cannot take turns with this one: it speaks protocol {spoken}, this one 3; "
        f"compare what speaks it, as liecbench {version('liecbench')} does"
    )


def test_errors_call_an_interpreter_by_its_name(environment: Path) -> None:
    python = install(environment, {})
    with pytest.raises(LiecbenchError) as raised:
        inspect(python, 3, name="revision main")

    assert str(raised.value) == "revision main: no liecbench is installed there; install it there"


def test_a_torch_is_needed(environment: Path) -> None:
    python = install(environment, {"liecbench": "7.1"}, turns="PROTOCOL = 3\n")

    assert refusal(python) == f"{python}: no torch is installed there; install it there"


def test_what_liecbench_itself_lacks_there_is_named(environment: Path) -> None:
    python = install(environment, {"liecbench": "7.1"}, turns="import absent_dependency\n")

    assert refusal(python) == (
        f"{python}: it does not say what it has (ModuleNotFoundError: No module named 'absent_dependency'); {REMEDY}"
    )


def test_a_missing_file_is_no_executable(tmp_path: Path) -> None:
    python = tmp_path / "python"

    assert refusal(python) == f"{python}: there is no such executable; {REMEDY}"


def test_a_directory_is_no_executable(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path}: there is no such executable; {REMEDY}"


def test_an_unknown_name_is_no_executable() -> None:
    assert refusal("python-of-nobody") == f"python-of-nobody: there is no such executable; {REMEDY}"


def test_what_the_kernel_does_not_run_is_named(tmp_path: Path) -> None:
    damaged = program(tmp_path / "damaged", "neither a script nor a binary\n")

    assert refusal(damaged) == f"{damaged}: it cannot be run (Exec format error); {REMEDY}"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo Unknown option: -P >&2; exit 2", "Unknown option: -P"),
        ("echo hello", "no error printed"),
        ("exit 0", "no error printed"),
        ("echo 3", "no error printed"),
    ],
)
def test_what_is_not_python_does_not_say_what_it_has(tmp_path: Path, script: str, reason: str) -> None:
    other = program(tmp_path / "other", f"#!/bin/sh\n{script}\n")

    assert refusal(other) == f"{other}: it does not say what it has ({reason}); {REMEDY}"


def test_what_a_start_up_prints_is_no_answer(environment: Path) -> None:
    python = install(environment, {"liecbench": "7.1", "torch": "9.2"}, turns="PROTOCOL = 3\nprint('hello')\n")

    assert inspect(python, 3).protocol == 3


def test_a_path_that_a_shell_would_take_apart_is_one_argument(tmp_path: Path) -> None:
    directory = tmp_path / "a b; touch c"
    venv.EnvBuilder(symlinks=True).create(directory)
    python = install(directory, {"liecbench": "7.1", "torch": "9.2"}, turns="PROTOCOL = 3\n")

    assert python == inspect(python, 3).path
