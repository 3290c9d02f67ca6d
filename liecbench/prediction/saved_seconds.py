"""The seconds that a method saves over the baseline at a link rate, with their 95 % interval."""

import itertools
import math
from dataclasses import dataclass
from typing import Final

from liecbench.network.link_map import LinkMap
from liecbench.prediction.baseline_setting import BaselinePrediction
from liecbench.prediction.predictor import RATES, Predictor
from liecbench.prediction.variants import QUANTILE, crossing

# Seconds that differ by a smaller part of a step are rounding.
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class SavedSeconds:
    """The seconds that a method saves per minibatch over the baseline, at any link rate.

    Attributes:
        predictors: The method's predictors, as ``Predictor.all_of`` returns them.
        baseline: The baseline.
        links: The links; to vary the rate, all their rates are multiplied by one factor.
    """

    predictors: tuple[Predictor, ...]
    baseline: BaselinePrediction
    links: LinkMap

    def at(self, rate: float) -> tuple[float, float]:
        """Return the saved seconds at a link rate, and half the width of their 95 % interval.

        Unlike the break-even's interval, this one is known even if a changed input moves the break-even to infinity.
        """
        at_rate = self.links.at_rate(round(rate))
        first, *others = (
            self.baseline.seconds_of(other, at_rate) - one.minibatch_seconds(at_rate)
            for one, other in zip(self.predictors, self.baseline.predictors, strict=True)
        )
        return first, QUANTILE * math.hypot(*(saved - first for saved in others))

    def are_known(self, rate: float) -> bool:
        """Return True if the inputs' errors leave no doubt which of the two is faster at ``rate``, or that both tie."""
        saved, error = self.at(rate)
        rounding = _ROUNDING * self.predictors[0].minibatch_seconds(self.links.at_rate(round(rate)))
        return abs(saved) + rounding >= error

    def surely_below(self) -> float | None:
        """Return the rate up to which the method is faster with 95 % confidence; None if there is none.

        Also None if the method is faster with 95 % confidence at every rate.
        """

        def excess(rate: float) -> float:
            saved, error = self.at(rate)
            return saved - error

        if excess(RATES[0]) <= 0:
            return None
        return next((crossing(excess, low, high) for low, high in itertools.pairwise(RATES) if excess(high) <= 0), None)
