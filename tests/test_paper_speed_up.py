"""The script that divides a speed-up over the authors' P-SGD, on a ledger whose ratios are known."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

from liecbench.results.records import Record, Start
from tests.ledgers import run_of, write_ledger

SCRIPT = Path(__file__).parents[1] / "scripts" / "paper_speed_up.py"


def run(algorithm: dict[str, Any], seconds: float, seed: int) -> list[Record]:
    """Return a run of one epoch of 22 steps."""
    begun, *others = run_of(f"{algorithm} {seed}", [{"seconds": seconds}], seed=seed)
    assert isinstance(begun, Start)
    return [dataclasses.replace(begun, spec={**begun.spec, "algorithm": algorithm}), *others]


def table(directory: Path, *methods: tuple[dict[str, Any], float]) -> subprocess.CompletedProcess[str]:
    write_ledger(directory, *[run(algorithm, seconds, seed) for algorithm, seconds in methods for seed in range(2)])
    (directory / "scenario.yaml").write_text("baseline: {algorithm: psgd, per_tensor: true}\n")
    return subprocess.run([sys.executable, SCRIPT, directory], capture_output=True, text=True, check=False)


AUTHORS = ({"name": "psgd", "per_tensor": True}, 8.8)
PSGD = ({"name": "psgd"}, 4.4)  # a cell's spec lacks per_tensor if it is false
DDP = ({"name": "ddp"}, 1.1)
LIEC = ({"name": "liec", "average_period": 32}, 0.55)


def test_the_factors_of_a_speed_up_are_those_of_the_implementation_and_of_the_algorithm(tmp_path: Path) -> None:
    done = table(tmp_path, AUTHORS, PSGD, DDP, LIEC)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[2:] == [
        "| psgd per_tensor | 400 | – | – | – | 0.125× (0.125 to 0.125) |",
        "| psgd | 200 | 2× (2 to 2) | 2× (2 to 2) | – | 0.25× (0.25 to 0.25) |",
        "| ddp | 50 | 8× (8 to 8) | – | – | – |",
        "| liec | 25 | 16× (16 to 16) | 2× (2 to 2) | 8× (8 to 8) | 2× (2 to 2) |",
    ]


def test_results_without_the_authors_psgd_are_refused(tmp_path: Path) -> None:
    done = table(tmp_path, PSGD, DDP, LIEC)

    assert done.returncode == 2
    assert "no row of psgd with per_tensor: true" in done.stderr
