"""Simulate timing sessions: how often does the interval of a speed-up contain the true value?

In a round of a session, every method is timed once. A placement is a group of rounds, after which the session creates
all methods' models and buffers again, because step times also depend on where they lie in memory.

Run all cases, 2,000 sessions each, with ``python -m tests.simulations.ratio_coverage --long``; without ``--long``, 300
sessions are simulated per case.
"""

import itertools
import math
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from liecbench.config.scenario import Scenario
from liecbench.results.ratio_interval import LogRatio
from liecbench.worker.session_rounds import FIRST_ROUNDS, PLACEMENT_ROUNDS, session_rounds_needed

PRECISION: float = Scenario.model_fields["timing_precision"].default


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """The noise of ln(speed-up): by round, an autoregressive process around the mean of the placement.

    Attributes:
        autocorrelation: The autocorrelation of consecutive rounds.
        round_deviation: The standard deviation of rounds around the mean of their placement.
        placement_deviation: The standard deviation of the placements' means.
    """

    autocorrelation: float
    round_deviation: float
    placement_deviation: float

    def rounds(self, rng: random.Random) -> Iterator[float]:
        """Yield the noise of one round after the other, without end."""
        state = rng.gauss(0, 1)
        while True:
            yield self.round_deviation * state
            state = self.autocorrelation * state + math.sqrt(1 - self.autocorrelation**2) * rng.gauss(0, 1)

    def placements(self, rng: random.Random, shape: Iterable[int], true: float = 0.0) -> Iterator[list[float]]:
        """Yield the log ratios of one placement after the other.

        The first round of a placement is also correlated with the last round of the placement before, because
        autocorrelation comes from the machine.

        Args:
            rng: The random number generator of the noise.
            shape: The number of rounds of each placement.
            true: The true value of the log ratios.
        """
        noise = self.rounds(rng)
        for num_rounds in shape:
            centre = true + rng.gauss(0, self.placement_deviation)
            yield [centre + value for value in itertools.islice(noise, num_rounds)]

    def fixed(self, rng: random.Random, shape: Iterable[int], true: float = 0.0) -> list[list[float]]:
        """Return the log ratios of a session by placement, with ``shape`` as the numbers of rounds of placements."""
        return list(self.placements(rng, shape, true))

    def two_stages(self, rng: random.Random, precision: float, true: float = 0.0) -> list[list[float]]:
        """Return the log ratios by placement of a session that decides its number of rounds after the first ten.

        Real timing sessions do the same. ``precision`` is the wanted half-width of the speed-up's interval, as a
        fraction.
        """
        placements = self.placements(rng, itertools.repeat(PLACEMENT_ROUNDS), true)
        session = list(itertools.islice(placements, FIRST_ROUNDS // PLACEMENT_ROUNDS))
        total = session_rounds_needed([session], precision, rounds_done=FIRST_ROUNDS)
        while sum(map(len, session)) < total:
            session.append(next(placements))
        return session


def coverage(noise: Noise, shape: Sequence[int] | None, *, sessions: int, seed: int = 0) -> tuple[float, float, float]:
    """Return the coverage of the 95 % interval, its mean half-width, and the mean number of rounds.

    Args:
        noise: The noise of the sessions.
        shape: The number of rounds of each placement; None if a session decides after the first ten rounds how many
            the default precision needs.
        sessions: The number of sessions to simulate.
        seed: The seed of the noise.
    """
    rng = random.Random(seed)
    covered, width, rounds = 0, 0.0, 0
    for _ in range(sessions):
        session = noise.two_stages(rng, PRECISION) if shape is None else noise.fixed(rng, shape)
        found = LogRatio.of_rounds(session).estimate()
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 1 <= found.high
        width += (found.high - found.low) / 2
        rounds += sum(map(len, session))
    return covered / sessions, width / sessions, rounds / sessions


def cases() -> Iterator[Noise]:
    """Yield every combination of the autocorrelations and standard deviations to simulate."""
    for rho, rounds, placements in itertools.product((0.0, 0.3, 0.6), (0.01, 0.03, 0.1), (0.0, 0.01, 0.02, 0.03)):
        yield Noise(autocorrelation=rho, round_deviation=rounds, placement_deviation=placements)


QUIET = Noise(autocorrelation=0.3, round_deviation=0.01, placement_deviation=0.0)
SHAPES: tuple[tuple[int, ...], ...] = (
    (5, 5),
    (15, 15),
    (30, 30),
    (4, 4, 4),
    (20, 20, 20),
    (5,) * 4,
    (15,) * 4,
    (10,) * 6,
    (5,) * 12,
    (5, 5, 2),
    (2,) * 5,
    (2,) * 15,
    (2,) * 30,
)


def main() -> None:
    """Print the lowest coverage over all noises, for each shape of sessions and for those that decide their rounds."""
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
