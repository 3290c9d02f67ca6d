"""The README is short, its links lead somewhere, and every command of every page can be typed."""

import re
from collections.abc import Iterator

import pytest

from tests.cli.in_process import run_in_process
from tests.documents.pages import BLOCKS, PAGES, ROOT, Block, blocks
from tests.documents.shell_commands import liecbench_commands

README = (ROOT / "README.md").read_text(encoding="utf-8")
EXECUTED = ("sh", "python")
OTHER = ("yaml", "json", "text")


def test_the_readme_is_at_most_8_kb() -> None:
    assert len(README.encode()) <= 8192


def test_the_readme_links_to_files_that_exist() -> None:
    targets = re.findall(r"\]\(([^)#]+)", README)

    assert [target for target in targets if not (target.startswith("https://") or (ROOT / target).exists())] == []


def _first_numbers(row: str) -> dict[str, float]:
    """Return the first number of each column of a row of the README's table, by the column's heading."""
    (headings,) = re.findall(r"^\| method \| (.*) \|$", README, re.MULTILINE)
    (cells,) = re.findall(rf"^\| \**`{row}`[^|]*\| (.*) \|$", README, re.MULTILINE)
    numbers = [re.search(r"-?\d[\d.]*", cell.replace("−", "-")) for cell in cells.split("|")]
    return {name.strip(): float(found[0]) for name, found in zip(headings.split("|"), numbers, strict=True) if found}


def test_the_figures_of_the_readmes_table_agree_with_each_other() -> None:
    dense = _first_numbers("ddp_bf16")
    baseline = _first_numbers("ddp")
    for method in ("doublesqueeze", "liec", "memsgd"):
        row = _first_numbers(method)
        # Speed-ups are ratios of geometric means, seconds are means.
        assert row["speed-up over `ddp`"] == pytest.approx(baseline["s/epoch"] / row["s/epoch"], rel=0.01)
        assert row["over the fastest dense row"] == pytest.approx(dense["s/epoch"] / row["s/epoch"], rel=0.01)
        assert row["kept to 1 point?"] == pytest.approx(row["accuracy"] - baseline["accuracy"], abs=0.11)


def test_the_readmes_answer_has_the_figures_of_its_row() -> None:
    (speedup, difference) = re.findall(
        r"use liec, (\S+ \(.*?\)) .* keeps the accuracy within .*? \(-(\S+) points", README
    )[0]
    (row,) = re.findall(r"^\| \*\*`liec`.*$", README, re.MULTILINE)

    assert f"**{speedup}**" in row
    assert f"**kept**: −{difference}" in row


def test_every_fence_belongs_to_a_block_of_a_known_language() -> None:
    fences = sum(path.read_text(encoding="utf-8").count("```") for path in PAGES)

    assert fences == 2 * len(BLOCKS)
    assert {block.language for block in BLOCKS} <= {*EXECUTED, *OTHER}


def test_a_test_file_that_a_block_names_exists() -> None:
    named = [block for block in BLOCKS if block.run_by is not None]

    assert named
    assert [str(block) for block in named if not (ROOT / str(block.run_by)).is_file()] == []


def _commands() -> Iterator[tuple[Block, list[str]]]:
    """Yield every liecbench command, also of blocks that no test runs, and of the jobs."""
    for block in [*blocks("sh"), *blocks("yaml")]:
        for words in liecbench_commands(block.text):
            yield block, words


def test_every_command_has_options_that_exist() -> None:
    refused: list[str] = []
    for block, words in _commands():
        arguments = words[1 : words.index(">") if ">" in words else None]
        # --help is answered after the options' names are read, and before anything runs.
        done = run_in_process(*arguments, "--help")
        if done.returncode != 0:
            refused.append(f"{block}: {done.stderr}")

    assert refused == []
