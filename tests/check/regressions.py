"""Real training runs, with and without a regression, and the error rates of checks against a stored baseline.

    python -m tests.check.regressions [--rounds 20]

trains five seeds a round on two ranks: the code as it is; as it is from weights moved by a millionth, which rounding
alone does; with a compressor that sends 25 % more; with an error memory that is dropped; with a learning rate that
costs more than 2 points of accuracy. A sixth takes exactly 2 points off what the moved weights reached.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.memsgd import MemSGD
from liecbench.check.stored.baseline import Baseline
from liecbench.check.stored.gate import Margins, check_stored
from liecbench.check.verdict import Outcome, Verdict
from liecbench.config.cell import Cell
from liecbench.results.cells import CellResult
from liecbench.results.environment_record import Environment
from liecbench.results.records import Epoch
from liecbench.worker.cell_setup import set_up
from liecbench.worker.trainer import Trainer
from tests.check.stored_results import ENVIRONMENT
from tests.distributed import run_ranks
from tests.worker.small_cells import NoLink

SEEDS = 5
RATIO, LEARNING_RATE = 0.04, 0.4
POINTS = 0.02
REGRESSIONS = ("25 % more bytes", "no error memory", "less accurate")


def cell(
    seed: int,
    ratio: float = RATIO,
    learning_rate: float = LEARNING_RATE,
    *,
    algorithm: str = "memsgd",
    compressor: dict[str, Any] | None = None,
    epochs: int = 2,
) -> Cell:
    return Cell.from_spec(
        {
            "algorithm": {"name": algorithm},
            "compressor": compressor or {"name": "top_k", "ratio": ratio},
            "server": "sharded",
            "block_bytes": "whole",
            "workers": 2,
            "link": "none",
            "seed": seed,
            "task": {
                "dataset": "digits",
                "model": {"name": "mlp", "width": 48},
                "batch_size": 64,
                "epochs": epochs,
                "learning_rate": learning_rate,
            },
            "threads": 1,
            "backend": "gloo",
            "device": "cpu",
            "timing": "measured",
        }
    )


def _forgetful(reduce: Callable[[MemSGD, Block], Tensor]) -> Callable[[MemSGD, Block], Tensor]:
    def reduced(self: MemSGD, block: Block) -> Tensor:
        update = reduce(self, block)
        self.error[block].zero_()
        return update

    return reduced


def _train(cell: Cell, *, moved_by: float = 0.0) -> list[Epoch]:
    replica = set_up(cell, NoLink())
    if moved_by:
        with torch.no_grad():
            for parameter in replica.model.parameters():
                parameter.mul_(1 + moved_by)
    trainer = Trainer(replica)
    records = [trainer.epoch(index, attempt=1) for index in range(cell.task.epochs)]
    replica.close()
    return [record for record in records if record is not None]


def _spec_of(variant: str, seed: int) -> Cell:
    """Return the cell that a variant says it is: a regression has the spec of the unchanged code."""
    if variant.startswith("quantised"):
        # So many that rounding of the last digits reaches the larger ones.
        return cell(seed, algorithm="csgd", compressor={"name": "qsgd"}, epochs=6)
    return cell(seed)


def _train_all(variants: Sequence[str], seeds: Sequence[int]) -> dict[str, list[list[Epoch]]]:
    return {variant: _train_variant(variant, seeds) for variant in variants}


def _train_variant(variant: str, seeds: Sequence[int]) -> list[list[Epoch]]:
    broken: AbstractContextManager[Any] = nullcontext()
    options: dict[str, Any] = {}
    moved_by = 0.0
    match variant:
        case "moved":
            moved_by = 1e-6
        case "quantised, moved":
            moved_by = 1e-7
        case "25 % more bytes":
            options["ratio"] = 1.25 * RATIO
        case "no error memory":
            broken = patch.object(MemSGD, "reduce", _forgetful(MemSGD.reduce))
        case "less accurate":
            options["learning_rate"] = LEARNING_RATE / 8
    with broken:
        cells = [cell(seed, **options) if options else _spec_of(variant, seed) for seed in seeds]
        return [_train(each, moved_by=moved_by) for each in cells]


def trained(variants: Sequence[str], seeds: Sequence[int]) -> dict[str, list[CellResult]]:
    """Return the cells of each variant as the ledger would have them."""
    found, _ = run_ranks(_train_all, 2, variants, seeds)
    return {
        variant: [
            CellResult(
                id=str(seed),
                spec=_spec_of(variant, seed).spec(),
                environment=Environment.of({**ENVIRONMENT, "link": None}),
                attempt=1,
                epochs=epochs,
                status="completed",
            )
            for seed, epochs in zip(seeds, found[variant], strict=True)
        ]
        for variant in variants
    }


def less_accurate(cells: Sequence[CellResult], points: float) -> list[CellResult]:
    """Return the same cells with accuracy reduced by ``points`` in every epoch."""
    return [
        replace(cell, epochs=[replace(epoch, test_accuracy=epoch.test_accuracy - points) for epoch in cell.epochs])
        for cell in cells
    ]


def checked(current: Sequence[CellResult], before: Sequence[CellResult]) -> Outcome:
    return check_stored(current, Baseline.of(before), Margins())


def verdicts(outcome: Outcome) -> dict[str, Verdict]:
    return {result.metric: result.verdict for result in outcome.results}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    found: dict[str, dict[str, Counter[Verdict]]] = {}
    codes: dict[str, Counter[int]] = {}
    for number in range(rounds):
        seeds = range(SEEDS * number, SEEDS * (number + 1))
        runs = trained(["unchanged", "moved", *REGRESSIONS], seeds)
        before = runs["unchanged"]
        runs |= {"unchanged": trained(["unchanged"], seeds)["unchanged"]}
        runs["moved, 2 points off"] = less_accurate(runs["moved"], POINTS)
        for name, cells in runs.items():
            outcome = checked(cells, before)
            codes.setdefault(name, Counter())[int(outcome.exit_code)] += 1
            for metric, verdict in verdicts(outcome).items():
                found.setdefault(name, {}).setdefault(metric, Counter())[verdict] += 1
    for name, metrics in found.items():
        print(f"{name}: exit codes {dict(codes[name])}")
        for metric, counts in metrics.items():
            print(f"  {metric}: {', '.join(f'{verdict} {count}' for verdict, count in counts.items())}")


if __name__ == "__main__":
    main()
