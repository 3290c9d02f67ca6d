import dataclasses
import math
from typing import Any

import pytest

from liecbench.results.accuracy_verdict import AccuracyVerdict, accuracy_verdicts
from liecbench.results.cells import CellResult
from liecbench.results.environment_record import Environment
from liecbench.results.rows_of_cells import summarise
from liecbench.results.tolerances import Tolerances
from tests.ledgers import epoch, spec


def cell(algorithm: str, seed: int, accuracy: float, *, labels: int | None = 1000, **fields: Any) -> CellResult:
    name = f"{algorithm}{seed}"
    environment = {} if labels is None else {"test_set": {"labels": labels, "commonest_share": 0.1}}
    return CellResult(
        id=name,
        spec=spec(algorithm, seed=seed, **fields),
        environment=Environment.of(environment),
        attempt=1,
        epochs=[epoch(name, accuracy=accuracy)],
        status="completed",
    )


def verdict(*points: float, tolerance: float = 0.005, labels: int | None = 1000) -> AccuracyVerdict:
    """Return the verdict on a method that differs from the baseline by these points, seed by seed."""
    cells = [cell("ddp", seed, 0.9, labels=labels) for seed in range(len(points))]
    cells += [cell("psgd", seed, 0.9 + value / 100, labels=labels) for seed, value in enumerate(points)]
    (found,) = [one for one in accuracy_verdicts(summarise(cells), Tolerances(accuracy=tolerance)) if one is not None]
    return found


def test_the_difference_is_paired_by_seed() -> None:
    found = verdict(0.1, 0.3, 0.5, -0.1)
    half = 3.1824 * math.sqrt(0.2 / 3) / 2  # mean 0.2; squares 0.01 + 0.01 + 0.09 + 0.09

    assert found.difference.mean == pytest.approx(0.002)
    assert found.difference.low == pytest.approx((0.2 - half) / 100, abs=1e-6)
    assert (found.outcome, found.num_seeds, found.seeds_needed) == ("kept", 4, None)


def test_one_seed_is_never_shown() -> None:
    found = verdict(3.0)

    assert (found.outcome, found.difference.low, found.seeds_needed) == ("not_shown", None, None)
    assert found.one_seed_error == pytest.approx(math.sqrt(2 * 0.9 * 0.1 / 1000))


def test_a_clear_loss_is_shown() -> None:
    assert verdict(-2.0, -2.2, -1.8, -2.1).outcome == "lost"


def test_between_kept_and_lost_the_seeds_needed_are_told() -> None:
    found = verdict(-1.0, 1.0, -1.0, 1.0, 0.0)
    assert found.outcome == "not_shown"

    # Deviation 1 point, tolerance 0.5: about ((1.96 + 0.84) / 0.5)² = 31.4 for the normal, a little more for Student.
    assert found.seeds_needed is not None
    assert 32 <= found.seeds_needed <= 35


def test_a_difference_near_the_tolerance_needs_more_seeds_and_a_better_one_no_fewer() -> None:
    near, better = verdict(-1.3, 0.7, -1.3, 0.7, -0.3), verdict(-0.8, 1.2, -0.8, 1.2, 0.2)

    # 0.2 points from the tolerance: (2.8 / 0.2)² = 196 for the normal.
    assert near.seeds_needed is not None
    assert 196 <= near.seeds_needed <= 199
    assert better.seeds_needed is not None
    assert 32 <= better.seeds_needed <= 35


def test_equal_counts_in_two_seeds_are_chance() -> None:
    # 12.7 · 0.1 points (one of 1,000 answers) / √2 = 0.9 points
    found = verdict(0.0, 0.0)

    assert found.outcome == "not_shown"
    assert found.difference.low == pytest.approx(-12.7062 * 0.001 / math.sqrt(2), rel=1e-4)


def test_many_losses_are_adjusted_for_their_number() -> None:
    differences = (-1.2, -0.9, -1.0, -0.7)  # alone −0.95 ± 0.33: below −0.5 points
    cells = [cell("ddp", seed, 0.9) for seed in range(4)]
    cells += [cell("psgd", seed, 0.9 + value / 100) for seed, value in enumerate(differences)]
    alone = accuracy_verdicts(summarise(cells), Tolerances())
    for number in range(30):
        cells += [cell(f"method{number}", seed, 0.9) for seed in range(4)]
    rows = summarise(cells)
    among = accuracy_verdicts(rows, Tolerances())
    position = next(index for index, row in enumerate(rows) if row.algorithm == "psgd")

    assert [one.outcome for one in alone if one is not None] == ["lost"]
    assert among[position] is not None
    assert among[position].outcome == "not_shown"  # type: ignore[union-attr]


def test_language_models_are_judged_by_loss() -> None:
    task = {"dataset": {"name": "text"}}
    cells = []
    for seed, (base, mine) in enumerate(((2.0, 2.01), (2.1, 2.108), (1.9, 1.911), (2.0, 2.009))):
        for algorithm, loss in (("ddp", base), ("psgd", mine)):
            one = cell(algorithm, seed, 0.5, task=task)
            cells.append(
                dataclasses.replace(one, epochs=[dataclasses.replace(found, test_loss=loss) for found in one.epochs])
            )
    (found,) = [one for one in accuracy_verdicts(summarise(cells), Tolerances(loss=0.02)) if one is not None]

    assert (found.by_loss, found.outcome, found.one_seed_error) == (True, "kept", None)
    assert found.difference.mean == pytest.approx(-0.0095)
