"""Simulate searches for a break-even, the link rate at which a method is as fast as the baseline.

Each search gives a bracket, a range of rates. How often does it contain the true break-even, and how narrow is it? Run
all cases, 2,000 searches each, with ``python -m tests.simulations.break_even_coverage --long``; without ``--long``, 300
searches are simulated per case.
"""

import math
import random
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from liecbench.config.scenario import Scenario
from liecbench.results.bracket import bracket_of
from liecbench.results.bracket_search import measured_precision, next_rate
from liecbench.results.ratio_interval import LogRatio
from tests.simulations.ratio_coverage import PRECISION, Noise

RATES = (5_000_000, 20_000_000, 100_000_000, 500_000_000, 1_000_000_000)
MAX_ADDED: int = Scenario.model_fields["break_even_rates"].default


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Seconds per step of a baseline and a method as functions of the link rate in bits per second.

    Half of ``compute_seconds`` hides transfer. Above some rate, computing hides all transfer, and the seconds stay the
    same. The method sends fewer bits per step (``method_bits``) and takes ``method_extra_seconds`` longer.
    """

    baseline_bits: float
    method_bits: float
    method_extra_seconds: float
    compute_seconds: float = 0.05

    def log_ratio(self, rate: float) -> float:
        """Return ln(seconds of the baseline ÷ seconds of the method)."""
        baseline = max(self.compute_seconds, 0.5 * self.compute_seconds + self.baseline_bits / rate)
        method = max(self.compute_seconds, 0.5 * self.compute_seconds + self.method_bits / rate)
        return math.log(baseline / (method + self.method_extra_seconds))

    @property
    def crossing(self) -> float:
        """The true break-even, the rate at which both take equally long, found by bisection."""
        low, high = 1e5, 1e11
        for _ in range(200):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if self.log_ratio(middle) > 0 else (low, middle)
        return low


STEEP = Lines(baseline_bits=8e6, method_bits=4e5, method_extra_seconds=0.02)
KINKED = Lines(baseline_bits=8e6, method_bits=4e5, method_extra_seconds=0.004)
FLAT = Lines(baseline_bits=1e6, method_bits=7.5e5, method_extra_seconds=0.002)
QUIET = Noise(autocorrelation=0.3, round_deviation=0.01, placement_deviation=0.007)
BUSY = Noise(autocorrelation=0.6, round_deviation=0.03, placement_deviation=0.02)


def search(lines: Lines, noise: Noise, rng: random.Random) -> tuple[bool, float | None, int]:
    """Simulate one search.

    Returns:
        True if the bracket contains the true break-even; the bracket's high ÷ low, or None if an end is open; and the
        number of rates that the search added to ``RATES``.
    """

    def measured(rate: int) -> LogRatio:
        return LogRatio.of_rounds(noise.two_stages(rng, PRECISION, lines.log_ratio(rate)))

    points = {rate: measured(rate) for rate in RATES}
    added = 0
    while added < MAX_ADDED and (rate := _next_rate(sorted(points.items()))) is not None:
        points[rate] = measured(rate)
        added += 1
    found = bracket_of(sorted(points.items()))
    holds = found.outcome in ("below", "unclear")
    holds &= found.low is None or found.low <= lines.crossing
    holds &= found.high is None or lines.crossing <= found.high
    width = None if found.low is None or found.high is None else found.high / found.low
    return holds, width, added


def _next_rate(points: Sequence[tuple[int, LogRatio]]) -> int | None:
    return next_rate(points, max(PRECISION, measured_precision(points)))


def coverage(lines: Lines, noise: Noise, *, runs: int, seed: int = 0) -> tuple[float, float, float]:
    """Simulate ``runs`` searches.

    Returns:
        The share of searches whose bracket contains the true break-even, the median of the brackets' high ÷ low, and
        the mean number of rates that a search added.
    """
    rng = random.Random(seed)
    found = [search(lines, noise, rng) for _ in range(runs)]
    widths = [width for _, width, _ in found if width is not None]
    held = statistics.fmean(holds for holds, _, _ in found)
    return held, statistics.median(widths), statistics.fmean(added for _, _, added in found)


def main() -> None:
    """Print coverage and width of every case."""
    runs = 2000 if "--long" in sys.argv else 300
    for line, lines in (("steep", STEEP), ("kinked", KINKED), ("flat", FLAT)):
        for machine, noise in (("quiet", QUIET), ("busy", BUSY)):
            held, width, added = coverage(lines, noise, runs=runs)
            found = f"true rate inside {held:.3f}, median high ÷ low {width:.2f}, {added:.1f} rates added"
            print(f"{line} line, {machine} machine: {found}")


if __name__ == "__main__":
    main()
