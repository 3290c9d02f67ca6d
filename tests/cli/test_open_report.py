import webbrowser
from pathlib import Path

import pytest

from tests.cli.in_process import run_in_process
from tests.ledgers import run_of, write_ledger


@pytest.mark.parametrize("opens", [True, False])
def test_the_report_is_written_and_opened(opens: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def browser(url: str) -> bool:
        asked.append(url)
        return opens

    monkeypatch.setattr(webbrowser, "open", browser)
    write_ledger(tmp_path, run_of("d"))
    done = run_in_process("open", tmp_path)

    page = tmp_path / "report.html"
    assert (done.returncode, done.stdout, asked) == (0, "", [page.as_uri()])
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    said = f"wrote {page}, and opened it" if opens else f"wrote {page}; this machine has no browser"
    assert done.stderr.startswith(said)


def test_a_page_of_other_contents_is_kept(tmp_path: Path) -> None:
    write_ledger(tmp_path, run_of("d"))
    (tmp_path / "report.html").write_text("mine")
    done = run_in_process("open", tmp_path)

    assert (done.returncode, (tmp_path / "report.html").read_text()) == (2, "mine")
