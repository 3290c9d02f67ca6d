"""The ledger of one run, for the tests of its two ends."""

from pathlib import Path

from liecbench.results.ledger import LEDGER_NAME
from tests import ledgers


def ledger_of(directory: Path, content: bytes | str) -> Path:
    path = directory / LEDGER_NAME
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


RUN = ledgers.run_of("a", [{}, {}])
RECORDS_OF_A = ledgers.consistent(RUN)
START, *REST = ledgers.lines_of(RUN)
