"""Simulate comparisons of methods with a baseline: how often is a verdict wrong, and how often right?

Run all cases, 2,000 comparisons each, with ``python -m tests.simulations.verdict_errors --long``; without ``--long``,
100 comparisons are simulated per case.
"""

import dataclasses
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from liecbench.results.cells import CellResult
from liecbench.results.environment_record import Environment
from liecbench.results.rows_of_cells import summarise
from liecbench.results.setting_verdict import SettingVerdict
from liecbench.results.timing_record import Timing
from liecbench.results.tolerances import Tolerances
from liecbench.worker.session_rounds import PLACEMENT_ROUNDS
from tests import ledgers
from tests.ledgers import epoch, spec
from tests.simulations.ratio_coverage import Noise

NUM_TEST_LABELS = 360
QUIET = Noise(autocorrelation=0.3, round_deviation=0.01, placement_deviation=0.005)
BUSY = Noise(autocorrelation=0.6, round_deviation=0.03, placement_deviation=0.015)
STEPS = 22  # of an epoch, as in tests.ledgers


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The true values of a method: its speed ÷ the baseline's speed, and its accuracy minus the baseline's accuracy."""

    speed: float = 1.0
    accuracy: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A comparison to simulate.

    Attributes:
        truths: The true values of the methods that are compared with the baseline, ddp, by name.
        seeds: The number of seeds.
        noise: The noise of a method's seconds, by round of a timing session or, without a session, by seed.
        num_placements: The number of placements of the timing session, after each of which all models are created
            again; None if each seed has a time of its own instead.
        accuracy_deviation: The standard deviation of a method's accuracy over seeds, besides the deviation that all
            methods share with the same seed.
    """

    truths: Mapping[str, Truth]
    seeds: int = 5
    noise: Noise = QUIET
    num_placements: int | None = 6
    accuracy_deviation: float = 0.007

    def verdict(self, rng: random.Random, tolerance: float) -> SettingVerdict:
        """Return the verdict on one simulated comparison."""
        shared = [0.95 + rng.gauss(0, 0.01) for _ in range(self.seeds)]
        cells = self._cells("ddp", Truth(), shared, rng)
        for name, truth in self.truths.items():
            cells += self._cells(name, truth, shared, rng)
        rows = summarise(cells)
        return SettingVerdict.of("", rows, Tolerances(accuracy=tolerance))

    def _cells(self, name: str, truth: Truth, shared: Sequence[float], rng: random.Random) -> list[CellResult]:
        timings = () if self.num_placements is None else self._timings(name, truth, rng)
        cells = []
        for seed, level in enumerate(shared):
            right = round(NUM_TEST_LABELS * min(1.0, level + truth.accuracy + rng.gauss(0, self.accuracy_deviation)))
            seconds = 1 / truth.speed
            if self.num_placements is None:
                seconds *= 1 + self.noise.fixed(rng, (1,))[0][0]
            cells.append(
                CellResult(
                    id=f"{name}{seed}",
                    spec=spec(algorithm=name, seed=seed, timing="interleaved" if timings else "end_to_end"),
                    environment=Environment.of({"test_set": {"labels": NUM_TEST_LABELS, "commonest_share": 0.1}}),
                    attempt=1,
                    epochs=[epoch(f"{name}{seed}", seconds=seconds, accuracy=right / NUM_TEST_LABELS)],
                    timings=timings,
                    status="completed",
                )
            )
        return cells

    def _timings(self, name: str, truth: Truth, rng: random.Random) -> tuple[Timing, ...]:
        placements = self.noise.fixed(rng, (PLACEMENT_ROUNDS,) * (self.num_placements or 0))
        return tuple(
            timing(name, placement, number, (1 + noise) / truth.speed / STEPS)
            for placement, rounds in enumerate(placements)
            for number, noise in enumerate(rounds)
        )


def timing(contestant: str, placement: int, number: int, step_seconds: float, **changes: Any) -> Timing:
    """Return the record of ten consecutive timed steps; ``changes`` replace its fields.

    Args:
        contestant: The method's key.
        placement: The number of the placement, from 0.
        number: The number of the round in the placement, from 0.
        step_seconds: The seconds per step.
        **changes: Values of other fields.
    """
    burst = ledgers.timing(
        contestant, seconds=10 * step_seconds, steps=10, placement=placement, round_=number, setting="one"
    )
    return dataclasses.replace(burst, **changes)


def anything_false(verdict: SettingVerdict) -> bool:
    """Return True if a verdict shows any difference, which is false because all methods are equal."""
    shown = set(verdict.speed.against_baseline.values()) - {"not_shown"}
    lost = any(found is not None and found.outcome == "lost" for found in verdict.accuracy)
    return bool(shown) or lost or len(verdict.speed.fastest) < len(verdict.rows)


def share(run: Run, holds: Callable[[SettingVerdict], bool], *, runs: int, tolerance: float = 0.005) -> float:
    """Return the share of ``runs`` simulated comparisons with a verdict for which ``holds`` returns True.

    ``tolerance`` is the largest drop of accuracy that counts as equal.
    """
    rng = random.Random(1)
    return sum(holds(run.verdict(rng, tolerance)) for _ in range(runs)) / runs


def accuracy_is(outcome: str) -> Callable[[SettingVerdict], bool]:
    """Return a function that returns True if a verdict has this outcome for the accuracy of the method ``rival``."""

    def holds(verdict: SettingVerdict) -> bool:
        found = verdict.accuracy[_position(verdict)]
        return found is not None and found.outcome == outcome

    return holds


def speed_is(outcome: str) -> Callable[[SettingVerdict], bool]:
    """Return a function that returns True if a verdict has this outcome for the speed of the method ``rival``."""
    return lambda verdict: verdict.speed.against_baseline[_position(verdict)] == outcome


def claims_two_percent(verdict: SettingVerdict) -> bool:
    """Return True if the interval of the speed-up of the method ``rival`` has a half-width of at most 2 %."""
    speedup = verdict.rows[_position(verdict)].metrics["speedup"]
    return speedup is not None and speedup.half_width is not None and speedup.half_width <= 0.02 * speedup.mean


def power(run: Run, holds: Callable[[SettingVerdict], bool], *, runs: int) -> tuple[float, float]:
    """Simulate ``runs`` comparisons, of which those count that know the speed-up of ``rival`` to 2 %.

    Returns:
        The share of the counted comparisons with a verdict for which ``holds`` returns True, and the share of all
        comparisons that count.
    """
    rng = random.Random(2)
    verdicts = [run.verdict(rng, 0.005) for _ in range(runs)]
    known = [verdict for verdict in verdicts if claims_two_percent(verdict)]
    return sum(map(holds, known)) / max(1, len(known)), len(known) / runs


def _position(verdict: SettingVerdict) -> int:
    return next(index for index, row in enumerate(verdict.rows) if row.algorithm == "rival")


def equal_methods(number: int) -> dict[str, Truth]:
    """Return the true values of this number of methods that equal the baseline, by name; the first is ``rival``."""
    return {"rival": Truth(), **{f"method{index}": Truth() for index in range(1, number)}}


def main() -> None:
    """Print the shares of wrong verdicts, and of verdicts that show a true difference, for all cases."""
    runs = 2000 if "--long" in sys.argv else 100
    errors = ", ".join(f"{(p * (1 - p) / runs) ** 0.5:.4f} for a share of {p}" for p in (0.025, 0.05))
    print(f"standard errors with {runs} comparisons: {errors}")
    for number in (1, 4, 9):
        for name, noise, placements, seeds in (
            ("quiet, 12 rounds, 5 seeds", QUIET, 6, 5),
            ("busy, 10 rounds, 5 seeds", BUSY, 5, 5),
            ("busy, 60 rounds, 10 seeds", BUSY, 30, 10),
            ("end to end, 5 seeds", BUSY, None, 5),
            ("end to end, 10 seeds", BUSY, None, 10),
        ):
            run = Run(truths=equal_methods(number), noise=noise, num_placements=placements, seeds=seeds)
            print(f"{number} equal rivals, {name}: anything false {share(run, anything_false, runs=runs):.4f}")
    for tolerance in (0.005, 0.01):
        for seeds in (2, 3, 5, 10, 20):
            run = Run(truths={"rival": Truth(accuracy=-tolerance)}, seeds=seeds)
            kept = share(run, accuracy_is("kept"), runs=runs, tolerance=tolerance)
            print(f"true difference −{100 * tolerance:g} points, {seeds} seeds: kept {kept:.4f}")
    others = {name: truth for name, truth in equal_methods(4).items() if name != "rival"}
    for seeds in (5, 10):
        run = Run(truths={**others, "rival": Truth(accuracy=-0.02)}, seeds=seeds)
        print(f"2 points less, {seeds} seeds: lost {share(run, accuracy_is('lost'), runs=runs):.4f}")
        run = Run(truths={**others, "rival": Truth()}, seeds=seeds)
        kept = share(run, accuracy_is("kept"), runs=runs, tolerance=0.01)
        print(f"equal, tolerance 1 point, {seeds} seeds: kept {kept:.4f}")
    for percent in (5, -5):
        run = Run(truths={**others, "rival": Truth(speed=1 + percent / 100)})
        outcome = "faster" if percent > 0 else "slower"
        for name, noise, placements in (("quiet, 12 rounds", QUIET, 6), ("busy, 60 rounds", BUSY, 30)):
            shown, known = power(
                dataclasses.replace(run, noise=noise, num_placements=placements), speed_is(outcome), runs=runs
            )
            print(f"speed {percent:+} %, {name}: shown {shown:.4f} of the {known:.2f} of runs known to 2 %")


if __name__ == "__main__":
    main()
