"""Error rates on this machine: results of the same code, checked against each other's baselines.

    python -m tests.check.repeated_runs DIRECTORY [--quiet-runs 4] [--busy-runs 4]

runs scenarios/ci.yaml several times, some of them beside a process that computes all the time, and checks each run
against each other run's baseline.
"""

import argparse
import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from liecbench.check.stored.baseline import Baseline
from liecbench.check.stored.gate import Margins, check_stored
from liecbench.check.verdict import Verdict
from liecbench.results.stored_cells import load
from tests.check.measured_pairs import SCENARIO, busy_process


def runs(directory: Path, kind: str, number: int) -> list[Path]:
    """Return results directories; those that exist already are not run again."""
    found = [directory / f"{kind}-{index}" for index in range(number)]
    for path in found:
        if not path.exists():
            with busy_process(kind == "busy"):
                command = [sys.executable, "-m", "liecbench", "run", str(SCENARIO), "--quiet", "--out", str(path)]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return found


def compare(directories: Sequence[Path]) -> None:
    cells = {path: load([path]) for path in directories}
    verdicts: dict[str, Counter[Verdict]] = {}
    codes: Counter[int] = Counter()
    widest: dict[str, float] = {}
    for baseline, current in itertools.permutations(directories, 2):
        outcome = check_stored(cells[current], Baseline.of(cells[baseline]), Margins())
        codes[int(outcome.exit_code)] += 1
        for result in outcome.results:
            verdicts.setdefault(result.metric, Counter())[result.verdict] += 1
            widest[result.metric] = max(widest.get(result.metric, 0.0), abs(result.change or 0.0))
    for metric, counts in verdicts.items():
        text = ", ".join(f"{verdict} {count}" for verdict, count in counts.items())
        print(f"{metric}: {text}; changed by {widest[metric]:.2%} at most")
    print(f"{sum(counter.total() for counter in verdicts.values())} decisions; exit codes {dict(codes)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--quiet-runs", type=int, default=4)
    parser.add_argument("--busy-runs", type=int, default=4)
    given = parser.parse_args()
    given.directory.mkdir(parents=True, exist_ok=True)
    quiet = runs(given.directory, "quiet", given.quiet_runs)
    compare([*quiet, *runs(given.directory, "busy", given.busy_runs)])


if __name__ == "__main__":
    main()
