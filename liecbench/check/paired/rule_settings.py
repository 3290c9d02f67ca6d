"""Settings of a paired comparison: how much slower fails, with which errors, from how many pairs and launches."""

from dataclasses import dataclass
from typing import Final

# A launch with fewer pairs has no median worth the name.
FEWEST_PAIRS_PER_RELAUNCH: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppingRule:
    """The rule by which a paired comparison decides.

    Attributes:
        tolerance: B fails if it is shown to be slower than A by more than this share.
        bound: B passes if it is shown to be slower than A by less than this share.
        alpha: Largest probability that any of the tests gated together fails although its side is within the tolerance.
        beta: Largest probability that a test passes although B is slower by ``bound``.
        most_pairs: A cell without a verdict after this many pairs is inconclusive.
        fewest_relaunches: Launches of both sides that a verdict needs. What differs from launch to launch, such as
            the placement of memory, is noise as well; with one launch it counts as a difference between A and B.
    """

    tolerance: float = 0.02
    bound: float = 0.10
    alpha: float = 0.05
    beta: float = 0.05
    most_pairs: int = 60
    fewest_relaunches: int = 3

    def fail_threshold(self, num_tests: int) -> float:
        """Return the E-value that fails one of ``num_tests`` tests gated together."""
        return num_tests / self.alpha

    @property
    def pass_threshold(self) -> float:
        """The E-value that passes a test."""
        return 1 / self.beta

    @property
    def usual_relaunches(self) -> int:
        """Launches over which all pairs of an open comparison are spread."""
        return 2 * self.fewest_relaunches if self.fewest_relaunches > 1 else 1
