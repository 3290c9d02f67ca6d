"""The output of ``liecbench bench``: a benchmark's results as a table or as JSON."""

import dataclasses
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from liecbench.bench.benchmark_result import BenchmarkResult, BenchmarkRow
from liecbench.results.units import BYTES, RATIO, Unit, duration_text


def to_json(rows: Sequence[BenchmarkRow], machine: Mapping[str, str | int | float | None]) -> str:
    """Return ``{"rows": [...], "machine": {...}}`` as JSON; a field that is None in every row is left out."""
    return json.dumps({"rows": [_object(row, _names(rows)) for row in rows], "machine": machine}, indent=2)


def render(result: BenchmarkResult, machine: Mapping[str, str | int | float | None]) -> Group:
    """Return a benchmark's results as a table for Rich to print, with lines of text below it.

    Each row of the table has the time of an operation and the limit, which is the least time that is physically
    possible. The lines are the legend, the measured rates of shaped links, and a description of the machine.
    """
    rows = result.rows
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    # No columns for what the text below the table says: the links' measured rates, and the size if all rows share it.
    below = {"size"} if _same_size(rows) else set()
    below |= {"achieved_bits_per_second"} if any(row.step_seconds is not None for row in rows) else set()
    names = [name for name in _names(rows) if name not in below]
    columns = [column for column in _COLUMNS if column[0] in names]
    for name, heading, _ in columns:
        justify: Literal["left", "right"] = "left" if name in ("name", "operation", "server", "link") else "right"
        table.add_column(heading, justify=justify, no_wrap=True)
    for _, group in itertools.groupby(rows, key=lambda row: row.link or row.name):
        for row in group:
            table.add_row(*(text(row) for _, _, text in columns))
        table.add_section()
    lines = [result.legend, *_measured_rates(rows), _conditions(rows, machine)]
    return Group(table, *(Text(line, style="dim") for line in lines))


def _names(rows: Sequence[BenchmarkRow]) -> list[str]:
    """Return ``ratio`` and the names of the fields of ``BenchmarkRow``, without those that are None in every row."""
    names = [field.name for field in dataclasses.fields(BenchmarkRow)]
    names.insert(names.index("limit_seconds") + 1, "ratio")
    return [name for name in names if any(getattr(row, name) is not None for row in rows)]


def _object(row: BenchmarkRow, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _measured_rates(rows: Sequence[BenchmarkRow]) -> list[str]:
    """Return one line of text for each ``link`` of the rows, such as ``100mbit``, with its lowest measured rate.

    The rate is in Mbit/s. Rows without ``step_seconds``, as in the link benchmark, are ignored.
    """
    slowest: dict[str, int] = {}
    for row in rows:
        if row.link is not None and row.step_seconds is not None and row.achieved_bits_per_second is not None:
            rate = row.achieved_bits_per_second
            slowest[row.link] = min(rate, slowest.get(row.link, rate))
    return [f"the {link} links carried {rate / 1e6:.4g} Mbit/s, headers included" for link, rate in slowest.items()]


def _same_size(rows: Sequence[BenchmarkRow]) -> bool:
    return len({row.size for row in rows}) == 1


def _share_of_rate(row: BenchmarkRow) -> str:
    if row.achieved_bits_per_second is None or row.asked_bits_per_second is None:
        return "–"
    return f"{row.achieved_bits_per_second / row.asked_bits_per_second:.1%}"


def _conditions(rows: Sequence[BenchmarkRow], machine: Mapping[str, str | int | float | None]) -> str:
    sizes = sorted({row.size for row in rows}) if _same_size(rows) else []
    workers = sorted({row.workers for row in rows if row.workers is not None})
    parts = [f"size {size:,}" for size in sizes] + [f"{number} workers" for number in workers]
    if "gpu" in machine:
        parts.append(f"{machine['gpu']}, driver {machine['driver']}")
    return " · ".join([*parts, f"{machine['cpu']}, {machine['num_cpus']} CPUs, threads {machine['threads']}"])


def _ratio(row: BenchmarkRow) -> str:
    if row.ratio_low is None or row.ratio_high is None:
        return RATIO.format(row.ratio)
    return f"{RATIO.format(row.ratio)} ({row.ratio_low:.3g} to {row.ratio_high:.3g})"


def _text(unit: Unit, value: float | None) -> str:
    return "–" if value is None else unit.format(value)


# (field, heading, function that returns the text for a row) of each column. A column is left out if its field is None
# in every row.
_COLUMNS: tuple[tuple[str, str, Callable[[BenchmarkRow], str]], ...] = (
    ("name", "name", lambda row: row.name),
    ("operation", "operation", lambda row: row.operation),
    ("server", "server", lambda row: row.server or "–"),
    ("link", "link", lambda row: row.link or "–"),
    ("size", "size", lambda row: f"{row.size:,}"),
    ("messages", "messages", lambda row: str(row.messages or 1)),
    ("bits_per_parameter", "bits/parameter", lambda row: f"{row.bits_per_parameter:.3g}"),
    ("payload_bytes", "payload", lambda row: _text(BYTES, row.payload_bytes)),
    ("seconds", "time", lambda row: duration_text(row.seconds)),
    ("limit_seconds", "limit", lambda row: duration_text(row.limit_seconds)),
    ("ratio", "ratio", lambda row: _ratio(row)),
    ("achieved_bits_per_second", "of rate", _share_of_rate),
    ("compress_seconds", "compress", lambda row: duration_text(row.compress_seconds)),
    ("step_seconds", "step", lambda row: duration_text(row.step_seconds)),
)
