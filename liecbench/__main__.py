"""``python -m liecbench`` is ``liecbench``."""

from liecbench.cli.app import main

main()
