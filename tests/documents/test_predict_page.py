"""The page on predictions explains the columns of their table."""

from tests.cli.in_process import run_in_process
from tests.documents.pages import ROOT


def test_every_column_of_figures_and_flags_is_explained() -> None:
    given = ("--parameters", "300k", "--step-seconds", "1", "--compress-gbytes-per-second", "2")
    options = ("--workers", "2", "--link", "1gbit", "--algorithm", "ddp", "--format", "markdown")
    lines = run_in_process("predict", *given, *options).stdout.splitlines()
    (headings,) = [line.strip("| ").split(" | ") for line in lines if line.startswith("| method | workers | link |")]
    page = (ROOT / "docs" / "predict.md").read_text(encoding="utf-8")

    assert "B/step" in headings
    unexplained = {name for name in headings if f"- **{name}**" not in page and f", **{name}** " not in page}
    assert unexplained <= {"method", "workers", "link"}
