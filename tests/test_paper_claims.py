"""The script of the claims' table, on ledgers whose ratios are known."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from liecbench.results.records import Record
from tests.ledgers import run_of, write_ledger

SCRIPT = Path(__file__).parents[1] / "scripts" / "paper_claims.py"
CONVERGENCE = "faster convergence than DoubleSqueeze and MEM-SGD"
LINEAR = "linear speed-up"
BYTES = "fewer bytes at equal accuracy"
TIME = "shorter training time to equal accuracy"


def run(
    algorithm: str, seed: int, reached: int, *, seconds: float = 1.0, payload: int = 100, n: int = 2
) -> list[Record]:
    """Return a run of ``n`` workers that has an accuracy of 0.5 from epoch ``reached`` of seven on."""
    epochs: list[dict[str, Any]] = [
        {"accuracy": 0.5 if number >= reached else 0.1, "seconds": seconds, "payload": [payload] * n}
        for number in range(1, 8)
    ]
    return run_of(f"{algorithm} {seed} {n}", epochs, algorithm=algorithm, seed=seed, workers=n)


def rows_of(*directories: Path) -> dict[tuple[str, str, str], str]:
    """Return the figure and the verdict of each comparison that the script prints, by claim, subject and rival."""
    done = subprocess.run([sys.executable, SCRIPT, *directories], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[tuple[str, str, str], str] = {}
    for table in done.stdout.split("\n\n")[1:]:
        (claim, _, _, *rivals), _, *rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
        found |= {(claim, row[1], rival): cell for row in rows for rival, cell in zip(rivals, row[3:], strict=True)}
    return found


def results(tmp_path: Path, name: str, baseline: str, *runs: list[Record]) -> Path:
    directory = write_ledger(tmp_path / name, *runs)
    (directory / "scenario.yaml").write_text(f"baseline: {baseline}\n")
    return directory


def test_methods_are_compared_by_epochs_bytes_and_seconds_to_the_same_accuracy(tmp_path: Path) -> None:
    """LIEC needs 2 epochs; DoubleSqueeze 4, 4 and 5, of half the bytes; MEM-SGD 2, of half the time."""
    own = [run("liec", seed, 2) for seed in range(3)]
    slow = [run("doublesqueeze", seed, 5 if seed == 2 else 4, payload=50) for seed in range(3)]
    quick = [run("memsgd", seed, 2, seconds=0.5) for seed in range(3)]
    dense = [run("psgd", seed, 2, payload=1000, seconds=3.0) for seed in range(3)]
    found = rows_of(results(tmp_path, "task", "psgd", *own, *slow, *quick, *dense))

    # The geometric mean of 4/2, 4/2 and 5/2 is 2.154; ln has mean 0.7675 and standard error 0.0744, and Student's
    # factor for two degrees of freedom is 4.303.
    assert found == {
        (CONVERGENCE, "liec", "doublesqueeze"): "2.15× (1.56 to 2.97), shown",
        (CONVERGENCE, "liec", "memsgd"): "1× (1 to 1), not shown",
        (BYTES, "liec", "doublesqueeze"): "1.08× (0.782 to 1.48), not shown",
        (BYTES, "liec", "memsgd"): "1× (1 to 1), not shown",
        (BYTES, "liec", "psgd"): "10× (10 to 10), shown",
        (TIME, "liec", "doublesqueeze"): "2.15× (1.56 to 2.97), shown",
        (TIME, "liec", "memsgd"): "0.5× (0.5 to 0.5), shown not",
        (TIME, "liec", "psgd"): "3× (3 to 3), shown",
    }


def test_a_speed_up_is_linear_if_n_workers_need_a_nth_of_the_steps(tmp_path: Path) -> None:
    runs = [run("liec", seed, reached, n=n) for seed in range(3) for n, reached in ((2, 4), (4, 2), (8, 2))]
    found = rows_of(results(tmp_path, "workers", "liec", *runs))

    assert {key: row for key, row in found.items() if key[0] == LINEAR} == {
        (LINEAR, "4 workers", "2 workers"): "1× (1 to 1), shown",
        (LINEAR, "8 workers", "2 workers"): "0.5× (0.5 to 0.5), shown not",
    }


def test_one_seed_shows_nothing_about_accuracy(tmp_path: Path) -> None:
    directory = results(tmp_path, "one", "psgd", run("liec", 0, 2), run("psgd", 0, 4, seconds=2.0))

    assert rows_of(directory) == {("shorter time per epoch", "liec", "psgd"): "2×, not shown"}


def test_a_directory_without_results_is_named(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, SCRIPT, tmp_path / "nowhere"], capture_output=True, text=True, check=False)

    assert (done.returncode, "nowhere" in done.stderr) == (2, True)
