import dataclasses
import os
import platform
import sys
import sysconfig
import venv
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import pytest

import liecbench
from liecbench.check.paired.interpreters import Installation, inspect
from liecbench.errors import LiecbenchError
from liecbench.launch.events import Heartbeat, LaunchEnded, Lost, PairedEvent, Refused
from liecbench.launch.orders import Agent, ForkLaunch, PairedOrder
from liecbench.launch.plans import PairedPlan
from liecbench.launch.template import TemplateSettings
from liecbench.worker.paired_worker import PROTOCOL

REMEDY = "give a Python ≥ 3.11 that has liecbench, such as ENVIRONMENT/bin/python"


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment with nothing in it."""
    directory = tmp_path / "environment"
    venv.EnvBuilder(symlinks=True).create(directory)
    return directory


def install(
    environment: Path, versions: Mapping[str, str], worker_module: str | None = None, stem: str = "paired_worker"
) -> Path:
    """Put distributions and a liecbench with a worker module into an environment; return its interpreter."""
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(environment)}))
    for name, number in versions.items():
        metadata = packages / f"{name}-{number}.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")
    if worker_module is not None:
        worker = packages / "liecbench" / "worker"
        worker.mkdir(parents=True)
        (worker / f"{stem}.py").write_text(worker_module)
    return environment / "bin" / "python"


def error_of(python: str | Path, protocol: int = 3) -> str:
    with pytest.raises(LiecbenchError) as raised:
        inspect(python, protocol)
    return str(raised.value)


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_this_interpreter_can_be_compared_with_itself() -> None:
    expected = Installation(
        path=Path(sys.executable),
        python=platform.python_version(),
        liecbench=version("liecbench"),
        torch=version("torch"),
        protocol=PROTOCOL,
    )

    assert expected == inspect(Path(sys.executable), PROTOCOL)


def test_another_version_understands_the_messages_of_this_protocol() -> None:
    """If this fails, increase PROTOCOL: the command also starts and orders ranks of other versions.

    A new field with a default, such as ``Lost.cause``, needs no increase: older versions ignore it.
    """
    kinds = (TemplateSettings, Agent, ForkLaunch, LaunchEnded, PairedPlan, Refused, Lost, Heartbeat)
    messages = (*kinds, *get_args(PairedOrder), *get_args(PairedEvent))
    fields = {kind.__name__: " ".join(field.name for field in dataclasses.fields(kind)) for kind in messages}

    assert (PROTOCOL, fields) == (
        5,
        {
            "TemplateSettings": "parent control imports restore",
            "Agent": "module plan num_nodes node_rank local_workers address port",
            "ForkLaunch": "agent num_links isolate directory imports",
            "LaunchEnded": "status",
            "PairedPlan": "backend device share_gpus orders paced",
            "Refused": "reason",
            "Lost": "reason disk cause",
            "Heartbeat": "",
            "OpenCell": "cell",
            "TrainBurst": "first steps added_seconds",
            "CloseCell": "",
            "Ready": "",
            "Opened": "average_period first environment",
            "BurstResult": (
                "seconds kind_seconds kind_steps wall_over_cpu train_loss sent_bytes received_bytes messages"
            ),
            "Closed": "",
            "Failed": "reason",
            "Unknown": "reason",
        },
    )


def test_a_virtual_environment_is_not_replaced_by_its_origin(environment: Path) -> None:
    python = install(environment, {"liecbench": "7.1", "torch": "9.2"}, worker_module="PROTOCOL = 3\n")

    expected = Installation(path=python, python=platform.python_version(), liecbench="7.1", torch="9.2", protocol=3)

    assert (True, expected) == (python.is_symlink(), inspect(python, 3))


def test_a_relative_path_becomes_absolute(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = install(environment, {"liecbench": "7.1", "torch": "9.2"}, worker_module="PROTOCOL = 3\n")
    monkeypatch.chdir(environment.parent)

    assert python == inspect("environment/bin/python", 3).path


def test_a_bare_name_is_looked_up_in_path(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = install(environment, {"liecbench": "7.1", "torch": "9.2"}, worker_module="PROTOCOL = 3\n")
    monkeypatch.setenv("PATH", str(python.parent), prepend=os.pathsep)

    assert python == inspect("python", 3).path


def test_a_liecbench_in_the_current_directory_is_not_found(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = install(environment, {})
    monkeypatch.chdir(Path(liecbench.__file__).parents[1])

    assert error_of(python) == f"{python}: no liecbench is installed there; install it there"


@pytest.mark.parametrize(
    ("worker_module", "theirs"),
    [(None, "none"), ("PROTOCOL = 2\n", "2"), ("PROTOCOL = 4\n", "4")],
)
def test_another_protocol_is_refused(environment: Path, worker_module: str | None, theirs: str) -> None:
    python = install(environment, {"liecbench": "7.1", "torch": "9.2"}, worker_module=worker_module)

    assert error_of(python) == (
        f"{python}: its liecbench 7.1 cannot be compared by this one: its paired workers have protocol {theirs}, "
        "this one's 3; compare versions with protocol 3, or run that version's own check"
    )


def test_the_protocol_of_versions_before_the_packages_is_found(environment: Path) -> None:
    python = install(environment, {"liecbench": "0.1", "torch": "9.2"}, worker_module="PROTOCOL = 2\n", stem="turns")

    assert "its paired workers have protocol 2, this one's 3" in error_of(python)


def test_errors_name_an_interpreter_as_asked(environment: Path) -> None:
    python = install(environment, {})
    with pytest.raises(LiecbenchError) as raised:
        inspect(python, 3, name="revision main")

    assert str(raised.value) == "revision main: no liecbench is installed there; install it there"


def test_an_interpreter_without_torch_is_refused(environment: Path) -> None:
    python = install(environment, {"liecbench": "7.1"}, worker_module="PROTOCOL = 3\n")

    assert error_of(python) == f"{python}: no torch is installed there; install it there"


def test_a_dependency_that_liecbench_lacks_there_is_named(environment: Path) -> None:
    python = install(environment, {"liecbench": "7.1"}, worker_module="import absent_dependency\n")

    assert error_of(python) == (
        f"{python}: it cannot say what it has installed "
        f"(ModuleNotFoundError: No module named 'absent_dependency'); {REMEDY}"
    )


def test_a_missing_file_is_no_executable(tmp_path: Path) -> None:
    python = tmp_path / "python"

    assert error_of(python) == f"{python}: there is no such executable; {REMEDY}"


def test_a_directory_is_no_executable(tmp_path: Path) -> None:
    assert error_of(tmp_path) == f"{tmp_path}: there is no such executable; {REMEDY}"


def test_an_unknown_name_is_no_executable() -> None:
    assert error_of("python-of-nobody") == f"python-of-nobody: there is no such executable; {REMEDY}"


def test_an_executable_that_the_kernel_refuses_is_named(tmp_path: Path) -> None:
    damaged = program(tmp_path / "damaged", "neither a script nor a binary\n")

    assert error_of(damaged) == f"{damaged}: it cannot be run (Exec format error); {REMEDY}"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo Unknown option: -P >&2; exit 2", "Unknown option: -P"),
        ("echo hello", "no error printed"),
        ("exit 0", "no error printed"),
        ("echo 3", "no error printed"),
    ],
)
def test_a_program_other_than_python_is_refused(tmp_path: Path, script: str, reason: str) -> None:
    other = program(tmp_path / "other", f"#!/bin/sh\n{script}\n")

    assert error_of(other) == f"{other}: it cannot say what it has installed ({reason}); {REMEDY}"


def test_output_of_a_start_up_file_is_ignored(environment: Path) -> None:
    python = install(environment, {"liecbench": "7.1", "torch": "9.2"}, worker_module="PROTOCOL = 3\nprint('hello')\n")

    assert inspect(python, 3).protocol == 3


def test_a_path_with_shell_characters_is_one_argument(tmp_path: Path) -> None:
    directory = tmp_path / "a b; touch c"
    venv.EnvBuilder(symlinks=True).create(directory)
    python = install(directory, {"liecbench": "7.1", "torch": "9.2"}, worker_module="PROTOCOL = 3\n")

    assert python == inspect(python, 3).path
