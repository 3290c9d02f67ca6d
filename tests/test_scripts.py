"""The scripts that measure links, in a tiny form, and the one that puts tables into the page about the paper."""

import subprocess
import sys
from pathlib import Path

from tests.namespace_support import skip_without_namespaces
from tests.process_tree import ROOT
from tests.waiting import TIMEOUT_SECONDS


def _run(script: str, *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "scripts" / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * TIMEOUT_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_links_are_measured_and_nothing_is_left_of_killed_launches() -> None:
    skip_without_namespaces()

    tables = _run("measure_links.py", "--quick")
    assert all(name in tables for name in ("between two workers", "lost on purpose", "Mathis", "CPU seconds"))
    rate = next(line.split() for line in tables.splitlines() if line.startswith("100mbit"))
    assert all(0 < float(measured) < 110 for measured in (rate[2], rate[3], rate[-1]))  # a busy machine carries less
    assert "nothing left" in _run("kill_launches.py", "1")


def test_an_unknown_table_is_refused() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "measure_links.py"), "speed"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "no table is called speed; write rates, loss, goodput, cpu" in done.stderr


def test_tables_of_theory_replace_those_of_the_page(tmp_path: Path) -> None:
    page, tables = tmp_path / "paper.md", tmp_path / "theory.md"
    page.write_text("before\n<!-- theory: begin -->\nold\n<!-- theory: end -->\nafter\n")
    tables.write_text("**new**\n")
    for _ in range(2):
        _run("paper_theory.py", str(tables), "--page", str(page))

    assert page.read_text() == "before\n<!-- theory: begin -->\n\n**new**\n\n<!-- theory: end -->\nafter\n"
