import contextlib
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.in_process import run_in_process

COMMANDS = [
    "run",
    "profile",
    "compare",
    "report",
    "predict",
    "verify",
    "baseline",
    "data",
    "list",
    "doctor",
    "bench",
    "init",
    "schema",
    "check",
]
CHECKS = [f"check {name}" for name in ("results", "scenarios", "revisions", "pythons", "self-test")]


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command(flag: str) -> None:
    done = run_in_process(flag)

    assert (0, "", set()) == (done.returncode, done.stderr, set(COMMANDS) - set(done.stdout.split()))


@pytest.mark.parametrize("command", [*COMMANDS, *CHECKS])
def test_every_command_has_help(command: str) -> None:
    done = run_in_process(*command.split(), "--help")

    assert (done.returncode, done.stderr, f"liecbench {command}" in done.stdout) == (0, "", True)


def test_the_installed_module_prints_help() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "liecbench", "--help"], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stderr, "Usage: liecbench" in done.stdout) == (0, "", True)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("frobnicate",),
        ("compare",),
        ("run",),
        ("list", "foo"),
        ("compare", ".", "--format", "xml"),
        ("run", "--fast"),
        ("run", "s.yaml", "--resume"),
        ("check",),
        ("check", "results", "r"),
        ("check", "results", "r", "--baseline", "b", "--only", "seed=1"),
        ("check", "scenarios", "a.yaml", "b.yaml", "--baseline", "x"),
        ("check", "scenarios", "a.yaml", "b.yaml", "--accuracy-margin", "1"),
        ("check", "revisions", "s.yaml", "HEAD"),
        ("check", "pythons", "s.yaml", "python"),
        ("check", "self-test", "--env-b", "A=1"),
        ("check", "self-test", "--tolerance", "0.1"),
        ("check", "self-test", "--relaunches", "0"),
        ("bench",),
        ("bench", "links"),
        ("bench", "compressors", "--size", "0"),
        ("bench", "exchange", "--size", "many"),
        ("bench", "exchange", "--workers", "1"),
        ("bench", "compressors", "--format", "csv"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    done = run_in_process(*arguments)

    assert (done.returncode, done.stdout, "Usage: " in done.stderr, "Traceback" in done.stderr) == (2, "", True, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("predict", "--ranks-per-node", "x"), "'--ranks-per-node': 'x' is no whole number; write one such as 8"),
        (("predict", "--compress-gbytes-per-second", "2GB"), "'2GB' is no number; write one such as 0.5"),
        (("predict", "--format", "xml"), "'--format': 'xml' is not one of 'table', 'markdown', 'json', 'csv'."),
        (("bench", "link", "--workers", "1"), "'--workers': '1' should be at least 2"),
    ],
)
def test_a_wrong_value_is_named_with_what_to_write(arguments: tuple[str, ...], message: str) -> None:
    assert message in run_in_process(*arguments).stderr


def test_schema_prints_that_of_a_profile() -> None:
    done = run_in_process("schema", "--profile")

    assert json.loads(done.stdout)["title"] == "liecbench profile"


def test_schema_prints_json_alone() -> None:
    done = run_in_process("schema")

    assert (done.returncode, done.stderr, json.loads(done.stdout)["title"]) == (0, "", "liecbench scenario")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            FileNotFoundError(errno.ENOENT, "No such file", "a.csv"),
            2,
            "a.csv: No such file; check the path and its disk",
        ),
        (OSError(errno.ENOSPC, "No space left"), 2, "No space left; check the path and its disk"),
        (OSError(errno.EFBIG, "File too large"), 2, "File too large; check the path and its disk"),
        (OSError(errno.EROFS, "Read-only file system"), 2, "Read-only file system; check the path and its disk"),
        (OSError(errno.EADDRINUSE, "Address already in use"), 70, "unexpected OSError: "),
        (OSError("no interface"), 70, "unexpected OSError: "),
    ],
    ids=["path", "full", "limited", "read-only", "network", "without a number"],
)
def test_only_errors_of_files_and_disks_are_usage_errors(
    error: OSError, code: int, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr("liecbench.cli.app.app", fail)
    done = run_in_process("--help", environment={"XDG_STATE_HOME": str(tmp_path)})

    assert (code, True) == (done.returncode, done.stderr.splitlines()[-1].startswith(f"liecbench: {message}"))


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            BrokenPipeError(errno.EPIPE, "Broken pipe"),
            70,
            "liecbench: unexpected BrokenPipeError: [Errno 32] Broken pipe;",
        ),
        (EOFError(), 130, ""),
    ],
    ids=["connection", "input"],
)
def test_what_typer_ends_with_1_does_not_mean_a_regression(
    error: Exception, code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("liecbench.config.json_schema.scenario_schema", fail)
    monkeypatch.setattr("liecbench.cli.app.ignore_broken_pipe", contextlib.nullcontext)
    done = run_in_process("schema", environment={"XDG_STATE_HOME": str(tmp_path)})

    assert (done.returncode, done.stderr.strip()[: len(message)]) == (code, message)
    assert len(list(tmp_path.rglob("liecbench-crash-*"))) == (code == 70)


def test_a_dependency_that_cannot_be_imported_is_an_unexpected_error(tmp_path: Path) -> None:
    command = "import sys; sys.modules['typer'] = None; from liecbench.__main__ import main; main()"
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, "please report it" in done.stderr) == (70, True)


INTERRUPTED_IMPORT = """
import os, signal, sys

class InterruptAtTyper:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, InterruptAtTyper())
from liecbench.__main__ import main
main()
"""


def test_an_interruption_during_the_first_imports_prints_no_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_dry_run_and_lists_are_printed_as_json(tmp_path: Path) -> None:
    lines = json.loads(run_in_process("run", "quickstart", "--dry-run", "--format", "json", directory=tmp_path).stdout)
    methods = json.loads(run_in_process("list", "algorithms", "--format", "json").stdout)
    scenarios = json.loads(run_in_process("list", "scenarios", "--format", "json").stdout)
    diagnostics = json.loads(run_in_process("doctor", "--format", "json").stdout)

    assert lines["dry_run"][0].startswith("50 cells")
    (liec,) = [one for one in methods if one["name"] == "liec"]
    assert (liec["options"]["average_period"], liec["required"]) == (32, [])
    assert "quickstart" in [one["name"] for one in scenarios]
    assert {"name", "works", "seen", "remedy"} == diagnostics[0].keys()
