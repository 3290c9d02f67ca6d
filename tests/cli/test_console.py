import sys
from pathlib import Path

import pytest

from liecbench.cli.console import ignore_broken_pipe, name_full_disk


def test_the_error_of_a_full_disk_names_what_was_written() -> None:
    with pytest.raises(OSError, match="No space left on device") as raised, name_full_disk(Path("results/x")):
        Path("/dev/full").write_text("text")

    assert raised.value.filename == "results/x"


def test_other_errors_keep_their_name(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError) as raised, name_full_disk("results/x"):
        missing.read_text()

    assert str(missing) == raised.value.filename


def test_a_full_standard_output_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115 - closing it would raise the error again
    monkeypatch.setattr(sys, "stdout", full)
    with pytest.raises(OSError, match="No space left on device") as raised, ignore_broken_pipe():
        print("text")
    monkeypatch.undo()
    with pytest.raises(OSError, match="No space left on device"):
        full.close()

    assert raised.value.filename == "standard output"
