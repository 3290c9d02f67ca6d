#!/usr/bin/env python
"""Put the tables of theory's studies into ``docs/paper.md``, in place of those that are there.

    liecbench theory --format markdown > theory.md
    python scripts/paper_theory.py theory.md

The tables stand between the comments ``<!-- theory: begin -->`` and ``<!-- theory: end -->`` of the page.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

BEGIN: Final = "<!-- theory: begin -->\n"
END: Final = "<!-- theory: end -->\n"
PAGE: Final = Path(__file__).parents[1] / "docs" / "paper.md"


def main() -> None:
    """Rewrite the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tables", type=Path, help="the output of liecbench theory --format markdown")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to rewrite")
    arguments = parser.parse_args()
    before, begin, rest = arguments.page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        sys.exit(f"{arguments.page}: the comments {BEGIN.strip()} and {END.strip()} are missing; add them")
    tables = arguments.tables.read_text(encoding="utf-8")
    arguments.page.write_text(f"{before}{begin}\n{tables}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
