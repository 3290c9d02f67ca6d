"""The README is short, its links lead somewhere, and every command of every page can be typed."""

import re
from collections.abc import Iterator

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
