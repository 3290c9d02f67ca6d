"""Settings of a paired comparison: allowed slowdowns, error probabilities, and numbers of pairs and relaunches.

A relaunch is one launch of the ranks of both sides, in which pairs of step times are measured.
"""

from dataclasses import dataclass
from typing import Final

# With fewer relaunches, a slowdown of ``bound`` would pass more often than ``beta``, as
# tests/simulations/gate_decisions.py shows.
FEWEST_RELAUNCHES: Final = 5
# The median of fewer pairs would be too noisy.
FEWEST_PAIRS_PER_RELAUNCH: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppingRule:
    """The rule by which a paired comparison of sides A and B decides on a test, that is, on one metric of one cell.

    Attributes:
        tolerance: The test fails if B is shown to be slower than A by more than this share of A's time.
        bound: The test passes if B is shown to be slower than A by less than this share of A's time, or not slower.
        alpha: The largest probability that the check fails any test in which B's slowdown is at most ``tolerance``.
        beta: The largest probability that a test passes although B is slower than A by ``bound`` or more.
        most_pairs: The number of pairs per cell after which measuring stops. ``conclude`` then decides the tests that
            have neither passed nor failed: they fail or are inconclusive.
        fewest_relaunches: The number of relaunches (launches of the ranks of both sides) that a test needs to pass or
            fail. With a number below ``FEWEST_RELAUNCHES``, every test is inconclusive.
    """

    tolerance: float = 0.02
    bound: float = 0.10
    alpha: float = 0.05
    beta: float = 0.05
    most_pairs: int = 60
    fewest_relaunches: int = FEWEST_RELAUNCHES

    def fail_threshold(self, num_tests: int) -> float:
        """Return the least E-value with which a test shows that B is slower than A by more than ``tolerance``.

        ``num_tests`` is the number of tests of the whole check.
        """
        # At the end of the check, Holm's procedure can also fail a test with a smaller E-value.
        return num_tests / self.alpha

    @property
    def pass_threshold(self) -> float:
        """The least E-value with which a test shows that B is slower than A by less than ``bound``."""
        return 1 / self.beta

    @property
    def can_decide(self) -> bool:
        """True if ``fewest_relaunches`` is at least the constant ``FEWEST_RELAUNCHES``.

        If False, no test passes or fails: every test is inconclusive.
        """
        return self.fewest_relaunches >= FEWEST_RELAUNCHES
