"""The notebook of the site runs, and the outputs that it shows are of the same kinds as those of this run."""

from pathlib import Path
from typing import Any

import pytest

from tests.documents.pages import ROOT

nbformat = pytest.importorskip("nbformat", reason="nbclient is missing: pip install '.[docs]'")
nbclient = pytest.importorskip("nbclient", reason="nbclient is missing: pip install '.[docs]'")
PAGE = ROOT / "docs" / "notebook.ipynb"


def outputs(notebook: Any) -> list[list[Any]]:
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]


def test_the_notebook_runs_and_shows_what_a_run_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLOTLY_RENDERER", "plotly_mimetype")
    stored = nbformat.read(PAGE, as_version=4)
    notebook = nbformat.from_dict(stored)

    nbclient.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": tmp_path}}).execute()

    ran, verdict, table, chart = outputs(notebook)
    assert ran == []
    assert verdict[0].text.startswith("recommended: ")
    assert all(name in table[0].data["text/html"] for name in ("ddp", "ddp_bf16", "doublesqueeze", "speedup_low"))
    (bars,) = chart[0].data["application/vnd.plotly.v1+json"]["data"]
    assert {label.partition("<br>")[0] for label in bars["y"]} == {"ddp", "ddp_bf16", "doublesqueeze"}
    assert [len(one) for one in outputs(stored)] == [len(one) for one in outputs(notebook)]


def test_the_stored_outputs_name_no_place_of_the_machine() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert "<svg" in text
    assert [word for word in ("/tmp", "/home", "/root") if word in text] == []
