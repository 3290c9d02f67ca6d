import io
import sys
from pathlib import Path

import pytest

from liecbench.console.console import console, ignore_broken_pipe, name_full_disk


def test_the_error_of_a_full_disk_names_what_was_written() -> None:
    with pytest.raises(OSError, match="No space left on device") as raised, name_full_disk(Path("results/x")):
        Path("/dev/full").write_text("text")

    assert raised.value.filename == "results/x"


def test_other_errors_keep_their_name(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError) as raised, name_full_disk("results/x"):
        missing.read_text()

    assert str(missing) == raised.value.filename


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "CLICOLOR_FORCE"])
def test_a_pipe_gets_no_colour_and_no_animation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    screen = console()
    screen.print("[red]text[/red]")

    assert (screen.is_terminal, screen.is_interactive, output.getvalue()) == (False, False, "text\n")


@pytest.mark.parametrize(("columns", "width"), [("0", 200), ("wide", 200), ("90", 90)])
def test_only_a_width_in_columns_counts(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    screen = console()
    screen.print("text")

    assert (screen.width, output.getvalue()) == (width, "text\n")


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("CLICOLOR", "0")])
def test_colour_is_turned_off_on_a_terminal(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("TERM", "xterm")
    output = Terminal()
    monkeypatch.setattr(sys, "stdout", output)
    screen = console()
    screen.print("[red]text[/red]")

    assert (screen.is_terminal, output.getvalue()) == (True, "text\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_full_standard_output_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115 - closing it would raise the error again
    monkeypatch.setattr(sys, "stdout", full)
    with pytest.raises(OSError, match="No space left on device") as raised, ignore_broken_pipe():
        print("text")
    monkeypatch.undo()
    with pytest.raises(OSError, match="No space left on device"):
        full.close()

    assert raised.value.filename == "standard output"
