"""Simulate timing sessions: how often does the interval of a speed-up contain the true value?

Run all cases, 2,000 sessions each, with ``python -m tests.simulations.ratio_coverage --long``; without ``--long`` it
simulates 300 sessions per case.
"""

import itertools
import math
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from liecbench.results.ratio_interval import LogRatio, rounds_needed

FIRST_ROUNDS = (5, 5)
ROUNDS_PER_PLACEMENT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Log ratios as an autoregressive process around their placement's mean; deviations are standard deviations."""

    autocorrelation: float
    round_deviation: float
    placement_deviation: float

    def placement(self, rng: random.Random, num_rounds: int, true: float = 0.0) -> list[float]:
        """Return the log ratios of a placement whose long-run mean over placements is ``true``."""
        centre = true + rng.gauss(0, self.placement_deviation)
        state = rng.gauss(0, 1)
        values = []
        for _ in range(num_rounds):
            values.append(centre + self.round_deviation * state)
            state = self.autocorrelation * state + math.sqrt(1 - self.autocorrelation**2) * rng.gauss(0, 1)
        return values

    def fixed(self, rng: random.Random, shape: Sequence[int], true: float = 0.0) -> list[list[float]]:
        """Return a session with a number of rounds per placement that is fixed beforehand."""
        return [self.placement(rng, num_rounds, true) for num_rounds in shape]

    def two_stages(self, rng: random.Random, precision: float, true: float = 0.0) -> list[list[float]]:
        """Return a session that decides its number of rounds after the first ten, in placements of five rounds."""
        session = self.fixed(rng, FIRST_ROUNDS, true)
        total = rounds_needed(session, precision)
        while (left := total - sum(map(len, session))) > 0:
            session.append(self.placement(rng, min(left, ROUNDS_PER_PLACEMENT), true))
        return session


def coverage(noise: Noise, shape: Sequence[int] | None, *, sessions: int, seed: int = 0) -> tuple[float, float, float]:
    """Return the coverage of the 95 % interval, its mean half-width, and the mean number of rounds.

    Args:
        noise: The noise of the sessions.
        shape: The number of rounds of each placement; None to decide it in two stages for a precision of 2 %.
        sessions: The number of sessions to simulate.
        seed: The seed of the noise.
    """
    rng = random.Random(seed)
    covered, width, rounds = 0, 0.0, 0
    for _ in range(sessions):
        session = noise.two_stages(rng, 0.02) if shape is None else noise.fixed(rng, shape)
        found = LogRatio.of_rounds(session).estimate()
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 1 <= found.high
        width += (found.high - found.low) / 2
        rounds += sum(map(len, session))
    return covered / sessions, width / sessions, rounds / sessions


def cases() -> Iterator[Noise]:
    """Yield every combination of noises."""
    for rho, rounds, placements in itertools.product((0.0, 0.3, 0.6), (0.01, 0.03, 0.1), (0.0, 0.01, 0.02, 0.03)):
        yield Noise(autocorrelation=rho, round_deviation=rounds, placement_deviation=placements)


QUIET = Noise(autocorrelation=0.3, round_deviation=0.01, placement_deviation=0.0)
SHAPES = ((5, 5), (15, 15), (30, 30), (4, 4, 4), (20, 20, 20), (5,) * 4, (15,) * 4, (10,) * 6, (5,) * 12, (5, 5, 2))


def main() -> None:
    """Print the lowest coverage of every shape of session, and of sessions that decide their rounds in two stages."""
    sessions = 2000 if "--long" in sys.argv else 300
    for shape in (*SHAPES, None):
        found = [(coverage(noise, shape, sessions=sessions), noise) for noise in cases()]
        lowest, noise = min(found, key=lambda pair: pair[0][0])
        quiet = next(value for value, one in found if one == QUIET)
        mean = sum(value[0] for value, _ in found) / len(found)
        name = "two stages, 2 %" if shape is None else f"{len(shape)} placements of {shape}"
        print(
            f"{name}: lowest {lowest[0]:.3f} ({noise}), mean {mean:.3f}; quiet ±{quiet[1]:.3f}, {quiet[2]:.0f} rounds"
        )


if __name__ == "__main__":
    main()
