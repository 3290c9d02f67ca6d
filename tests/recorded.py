"""The records in a results directory, also while a run still writes to it."""

import dataclasses
from pathlib import Path
from typing import Any

from liecbench.results.ledger import LEDGER_NAME
from liecbench.results.ledger_reader import read
from liecbench.results.records import CellRecord, Epoch
from liecbench.results.timing_record import Timing


def records(directory: Path) -> list[CellRecord]:
    """Return the records of cells that the ledger holds now; none if there is no ledger yet."""
    found = read(directory) if (directory / LEDGER_NAME).exists() else ()
    return [record for record in found if not isinstance(record, Timing)]


def timings(directory: Path) -> list[Timing]:
    """Return the bursts that the ledger holds now."""
    found = read(directory) if (directory / LEDGER_NAME).exists() else ()
    return [record for record in found if isinstance(record, Timing)]


def epochs(directory: Path, cell: str | None = None) -> list[Epoch]:
    """Return the epochs recorded so far, of all cells or of one."""
    return [r for r in records(directory) if isinstance(r, Epoch) and cell in (None, r.cell)]


def numbers(epoch: Epoch) -> dict[str, Any]:
    """Return the fields that another run must repeat to the bit: not times, CPU shares, memory or wire bytes."""
    left_out = {"attempt", "wire_bytes", "cpu_seconds", "other_cpu_share", "peak_memory_bytes", "gpu", "composed"}
    fields = dataclasses.asdict(epoch).items()
    return {name: value for name, value in fields if name not in left_out and not name.endswith("_seconds")}
