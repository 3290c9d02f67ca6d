"""Print how a speed-up over the LIEC-SGD authors' P-SGD divides into two factors, from results of ``paper/speed-up``.

``python scripts/paper_speed_up.py results/speed-up-small`` prints a table of ``docs/paper.md``. The first factor is
what that P-SGD's implementation costs, a message per tensor after the backward pass: the speed-up of ``psgd`` over it.
The second is the speed-up over ``psgd``, which sends through the same server in blocks.
"""

import argparse
import statistics
from pathlib import Path
from typing import Final

from liecbench.errors import LiecbenchError
from liecbench.results.rows import Row
from liecbench.results.stored_comparison import load_comparison

HEADINGS: Final = (
    *("method", "ms/step", "over the authors' P-SGD", "= its implementation", "× over `psgd`", "over `ddp`"),
)


def split(directory: Path) -> str:
    """Return the Markdown tables of one results directory, one for each link.

    Raises:
        LiecbenchError: If the results lack ddp, or P-SGD with or without ``per_tensor``.
    """
    found = load_comparison([directory], notify=lambda _: None)
    tables = []
    for verdict in found.setting_verdicts:
        rows = sorted(verdict.rows, key=_step_seconds, reverse=True)
        authors, psgd, ddp = _the(rows, "psgd", per_tensor=True), _the(rows, "psgd"), _the(rows, "ddp")
        lines = [f"| {' | '.join(HEADINGS)} |", "|---" * len(HEADINGS) + "|"]
        for row in rows:
            factors = [
                "–" if row is authors else _ratio(row, authors),
                "–" if row.algorithm == "ddp" or row is authors else _ratio(psgd, authors),
                "–" if row is psgd or row is authors or row is ddp else _ratio(row, psgd),
                "–" if row is ddp else _ratio(row, ddp),
            ]
            lines.append(f"| {' | '.join([found.labels.method(row), f'{1000 * _step_seconds(row):.3g}', *factors])} |")
        tables.append("\n".join(lines) + "\n")
    return "\n".join(tables)


def _the(rows: list[Row], algorithm: str, *, per_tensor: bool = False) -> Row:
    """Return the row of an algorithm; a row without ``per_tensor``, as most have none, counts as one with False."""
    for row in rows:
        if row.algorithm == algorithm and bool(row.fields.get("per_tensor")) is per_tensor:
            return row
    name = f"{algorithm} with per_tensor: true" if per_tensor else algorithm
    raise LiecbenchError(f"no row of {name}", "give results of the scenario paper/speed-up")


def _step_seconds(row: Row) -> float:
    steps = statistics.fmean(epoch.steps for cell in row.cells for epoch in cell.epochs)
    return statistics.fmean(row.pace.by_seed.values()) / steps


def _ratio(row: Row, other: Row) -> str:
    """Return how many times faster ``row`` is than ``other``, with the 95 % interval."""
    ratio = row.pace.speed_over(other.pace)
    if ratio is None:
        return "–"
    found = ratio.estimate()
    interval = "" if found.low is None else f" ({found.low:.3g} to {found.high:.3g})"
    return f"{found.mean:.3g}×{interval}"


def main() -> None:
    """Print the tables of the results directory that the command line names."""
    parser = argparse.ArgumentParser(description="Divide a speed-up over the authors' P-SGD into two factors.")
    parser.add_argument("results", type=Path, help="results directory of the scenario paper/speed-up")
    try:
        print(split(parser.parse_args().results), end="")
    except LiecbenchError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
