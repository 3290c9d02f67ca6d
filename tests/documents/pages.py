"""The README, the pages of docs/, and their code blocks.

A block may have a comment above it: ``<!-- not run: REASON -->``, or ``<!-- run by: TEST_FILE -->``.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_BLOCK: Final = re.compile(r"^(?:<!-- (not run|run by): ([^\n]+) -->\n)?```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A code block of a page.

    Attributes:
        page: The page's path from the repository's top.
        line: The line of the page on which the code begins.
        not_run: Why no test executes it, or None.
        run_by: The test file that executes it, from the repository's top, or None.
    """

    page: str
    line: int
    language: str
    text: str
    not_run: str | None
    run_by: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def marked(self) -> bool:
        return self.not_run is not None or self.run_by is not None


def blocks_of(path: Path) -> list[Block]:
    """Return a page's blocks in their order."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(
            page=path.relative_to(ROOT).as_posix(),
            line=text.count("\n", 0, found.start(4)) + 1,
            language=found[3],
            text=found[4],
            not_run=found[2] if found[1] == "not run" else None,
            run_by=found[2] if found[1] == "run by" else None,
        )
        for found in _BLOCK.finditer(text)
    ]


BLOCKS: Final = tuple(block for path in PAGES for block in blocks_of(path))


def blocks(language: str) -> list[Block]:
    """Return the blocks of all pages in this language."""
    return [block for block in BLOCKS if block.language == language]
