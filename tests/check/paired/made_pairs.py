"""Pairs of step times, made of their log ratios, for the tests of verdicts."""

import math
from collections.abc import Sequence

from liecbench.check.paired.conclusion import PairedTest, conclude
from liecbench.check.paired.rule_settings import StoppingRule
from liecbench.check.verdict import CheckResult, Pair

RULE = StoppingRule()


def pair(log: float, relaunch: int = 0, wall_over_cpu: float = 1.0) -> Pair:
    noise = {"wall_over_cpu": wall_over_cpu}
    return Pair(relaunch=relaunch, order="AB", a_seconds=2.0, b_seconds=2.0 * math.exp(log), noise=noise)


def relaunches(*logs: Sequence[float]) -> tuple[Pair, ...]:
    return tuple(pair(log, number) for number, values in enumerate(logs) for log in values)


def concluded(*pairs: tuple[Pair, ...]) -> list[CheckResult]:
    return conclude(
        [PairedTest(cell=f"cell {n}", metric="step_seconds", pairs=each) for n, each in enumerate(pairs)], RULE
    )


SAME = relaunches([0.0] * 3, [0.001] * 3, [-0.001] * 3, [0.002] * 3, [-0.002] * 3)

SLOWER = relaunches([0.1] * 3, [0.11] * 3, [0.12] * 3, [0.10] * 3, [0.12] * 3)

BETWEEN = relaunches(*[[0.05] * 12] * 5)
