import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Runs the command with a fault put where no user's mistake can be its cause.
PROGRAM = """
import sys
from liecbench.cli import starter
def fail(*_, **__):
    password_of_a_local = "local-" + "secret"
    raise {error}
starter.say = fail
import liecbench.__main__
sys.argv = ["liecbench", "init", *sys.argv[1:]]
liecbench.__main__.main()
"""
SECRETS = ("hunter2", "q-secret", "env-secret", "local-secret", "hf_abcdefghijk", "opt-secret", "bearer-secret-1")
MESSAGE = "https://user:hunter2@host/x?sig=q-secret#f Authorization: Bearer bearer-secret-1 hf_abcdefghijk env-secret"


def crash(
    tmp_path: Path, error: str, *arguments: str, **variables: str
) -> tuple[subprocess.CompletedProcess[str], list[Path]]:
    """Run a command that fails; return how it ended, and the crash reports."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "MY_API_KEY": "env-secret", **variables}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(error=error), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    return done, sorted(tmp_path.rglob("liecbench-crash-*.txt"))


def test_an_unexpected_error_is_one_line_and_a_report_without_secrets(tmp_path: Path) -> None:
    done, (report,) = crash(tmp_path, f"KeyError({MESSAGE!r})", "a.yaml")
    text = report.read_text()

    assert (done.returncode, done.stderr.count("\n"), done.stdout) == (70, 1, "")
    assert done.stderr.startswith("liecbench: unexpected KeyError: 'https://***@host/x?*** Authorization: *** *** ***'")
    assert f"; please report it where you got liecbench from, with the crash report {report} and" in done.stderr
    assert "Traceback" in text
    assert "in fail" in text
    assert not [secret for secret in SECRETS if secret in text + done.stderr]
    assert not [value for value in os.environ.values() if len(value) > 30 and value in text]
    assert (stat.S_IMODE(report.stat().st_mode), report.parent) == (0o600, tmp_path / "state" / "liecbench")


CAUSES: dict[str, str] = {
    "an exit by a function of the user's": "SystemExit(1)",
    "an error with a message that fails": "type('E', (Exception,), {'__str__': lambda self: 1 / 0})()",
    "an error that no except Exception catches": "type('PanicException', (BaseException,), {})('\\x1b[31m')",
    "an interrupted system call": "InterruptedError()",
    "an operating system's error without a file": "OSError(5, 'it failed')",
}


@pytest.mark.parametrize("cause", CAUSES)
def test_whatever_is_unexpected_exits_with_70(tmp_path: Path, cause: str) -> None:
    done, reports = crash(tmp_path, CAUSES[cause], "a.yaml")

    assert (done.returncode, done.stderr.count("\n"), len(reports)) == (70, 1, 1)
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(("arguments", "code"), [(["frobnicate"], 2), (["compare", "no-such"], 2), (["init", "a"], 70)])
def test_exit_codes_stay_if_standard_error_is_full(tmp_path: Path, arguments: list[str], code: int) -> None:
    program = PROGRAM.format(error="KeyError()").replace('"init", ', "")
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], env=environment, stderr=full, check=False, cwd=tmp_path
        )

    assert done.returncode == code


def test_without_a_home_the_report_is_a_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    (tmp_path / "state").write_text("a file where a directory should be")
    done, (report,) = crash(tmp_path, "KeyError()", "a.yaml", TMPDIR=str(tmp_path / "temporary"))

    assert (done.returncode, report.parent) == (70, tmp_path / "temporary")


def test_the_values_of_variables_for_a_side_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from liecbench.cli import crash_report

    words: list[Any] = ["check", "scenarios", "--env-a", "A=opt-secret", "--env-b=B=opt-secret", "a.yaml"]
    monkeypatch.setattr(sys, "argv", ["liecbench", *words])
    report = crash_report._report(ValueError("no"))

    assert "command: liecbench check scenarios --env-a 'A=***' '--env-b=***' a.yaml" in report
