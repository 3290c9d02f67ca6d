"""``python -m liecbench`` is ``liecbench``."""

from liecbench.cli import main

main()
