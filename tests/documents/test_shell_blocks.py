"""The shell blocks of each page run, in their order, in one directory."""

from pathlib import Path

import pytest

from tests.documents.pages import BLOCKS, blocks
from tests.documents.shell_commands import Session
from tests.finished_run import FinishedRun

UNMARKED = [block for block in blocks("sh") if not block.marked]


@pytest.mark.parametrize("page", dict.fromkeys(block.page for block in UNMARKED))
def test_the_shell_blocks_of_a_page_run(page: str, finished_run: FinishedRun, tmp_path: Path) -> None:
    session = Session(tmp_path, finished_run)

    for block in BLOCKS:
        if block.page == page:
            session.write(block)
    for block in UNMARKED:
        if block.page == page:
            session.run(block.text)
