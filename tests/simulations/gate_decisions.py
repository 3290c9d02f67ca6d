"""Simulate paired checks, which compare the step times of sides A and B: how often do they pass, fail, or not decide?

Run all cases, 2,000 checks each, with ``python -m tests.simulations.gate_decisions --long``; without ``--long``, 200
checks are simulated per case.
"""

import math
import random
import sys
from collections import Counter
from dataclasses import dataclass

from liecbench.check.paired.conclusion import PairedTest, conclude
from liecbench.check.paired.rule_settings import StoppingRule
from liecbench.check.paired.stopping import is_complete, is_relaunch_complete
from liecbench.check.verdict import Pair, Verdict

CHANGES = (0.0, 0.06, 0.10, 0.15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The noise of pairs' ln(B's step time ÷ A's step time).

    Attributes:
        launch: The standard deviation of launches' means.
        pair: The standard deviation of pairs within a launch.
        autocorrelation: The autocorrelation of consecutive pairs of a launch.
    """

    launch: float = 0.05
    pair: float = 0.03
    autocorrelation: float = 0.3


def verdict(change: float, noise: Noise, rule: StoppingRule, rng: random.Random) -> tuple[Verdict, int, int]:
    """Simulate one check of one metric.

    Args:
        change: The true change from A's step time to B's.
        noise: The noise of the pairs.
        rule: The rule by which the check decides.
        rng: The random number generator of the noise.

    Returns:
        The verdict, the number of launches, and the number of pairs.
    """
    pairs: list[Pair] = []
    relaunch = 0
    while not is_complete([pairs], rule, 1):
        centre = math.log1p(change) + rng.gauss(0, noise.launch)
        state = rng.gauss(0, 1)
        while True:
            seconds = math.exp(centre + noise.pair * state)
            pairs.append(Pair(relaunch=relaunch, order="AB", a_seconds=1.0, b_seconds=seconds))
            state = noise.autocorrelation * state + math.sqrt(1 - noise.autocorrelation**2) * rng.gauss(0, 1)
            if is_relaunch_complete([pairs], relaunch, rule, 1):
                break
        relaunch += 1
    (found,) = conclude([PairedTest(cell="", metric="step_seconds", pairs=tuple(pairs))], rule)
    return found.verdict, relaunch, len(pairs)


def shares(
    change: float, noise: Noise, rule: StoppingRule, *, checks: int, seed: int = 0
) -> tuple[dict[Verdict, float], float, float]:
    """Return the share of each verdict in ``checks`` simulated checks, and the mean numbers of launches and pairs.

    The other arguments are those of ``verdict``; ``seed`` is the seed of the noise.
    """
    rng = random.Random(seed)
    counts: Counter[Verdict] = Counter()
    launches = pairs = 0
    for _ in range(checks):
        found, num_launches, num_pairs = verdict(change, noise, rule, rng)
        counts[found] += 1
        launches += num_launches
        pairs += num_pairs
    return {kind: counts[kind] / checks for kind in Verdict}, launches / checks, pairs / checks


def main() -> None:
    checks = 2000 if "--long" in sys.argv[1:] else 200
    print("launch spread  bound  true change   pass   fail  inconclusive  launches  pairs")
    for spread in (0.0, 0.02, 0.05):
        for bound in (0.10, 0.05):
            for change in CHANGES:
                rule = StoppingRule(bound=bound)
                found, launches, pairs = shares(change, Noise(launch=spread), rule, checks=checks)
                rates = f"{found[Verdict.PASS]:6.1%} {found[Verdict.FAIL]:6.1%} {found[Verdict.INCONCLUSIVE]:13.1%}"
                print(f"{spread:13.0%} {bound:6.0%} {change:+12.0%} {rates} {launches:9.1f} {pairs:6.1f}", flush=True)


if __name__ == "__main__":
    main()
