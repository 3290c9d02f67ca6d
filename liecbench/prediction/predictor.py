"""Predict the mean time of a method's step at any link rate.

The mean weights each kind of step by its share of the steps in a long training.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from liecbench.network.link_map import LinkMap
from liecbench.prediction.method_choice import Method
from liecbench.prediction.node_links import NodeLinks
from liecbench.prediction.rank_links import RankLinks
from liecbench.prediction.recorded_method import KindWork, RecordedMethod
from liecbench.prediction.step_time import StepTime, step_time
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.prediction.variants import crossing, varied, with_more_own_work
from liecbench.profiles.profile import Profile

# Link rates between which needed rates are searched for.
LOWEST_RATE, HIGHEST_RATE = 1e5, 1e13
_NUM_RATES: Final = 33
# Between two neighbours, a difference of step times changes its sign at most once, as far as is looked.
RATES: Final = tuple(
    LOWEST_RATE * (HIGHEST_RATE / LOWEST_RATE) ** (index / (_NUM_RATES - 1)) for index in range(_NUM_RATES)
)
# Step times that differ by a smaller part are equal.
_EQUAL: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """Predicts the mean step time of one method on a fixed number of workers, at any link rate.

    Attributes:
        kinds: The work of each kind of step, such as an averaging step, and the kind's fraction of all steps.
        costs: The transport's constants.
        nodes: The links inside nodes; None if every worker has a link of its own.
        batches_per_step: The number of minibatches whose gradients a step accumulates.
    """

    kinds: tuple[KindWork, ...]
    costs: TransportCosts
    nodes: NodeLinks | None = None
    batches_per_step: int = 1
    _known: dict[LinkMap, StepTime] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def all_of(
        cls,
        recorded: RecordedMethod,
        profile: Profile,
        costs: TransportCosts,
        nodes: NodeLinks | None,
        methods: Sequence[Method],
    ) -> tuple[Self, ...]:
        """Return predictors of one method: one for the given inputs, and one per input that is changed.

        The returned tuple holds, in this order:

        - One predictor for the given ``profile`` and ``costs``.
        - Four predictors with one input each, such as the compute seconds, changed by its standard error.
          ``variants.varied`` lists the four inputs.
        - One predictor per method in ``methods``. For ``recorded.method``, the seconds of its own work are changed by
          their standard error. For any other method, it is the first predictor again.

        ``variants.interval`` turns the predictions into one prediction with its interval.

        Args:
            recorded: The method's steps, one of each kind, with their messages.
            profile: The profile of the device that computes.
            costs: The transport's constants.
            nodes: The links inside nodes; None if every worker has a link of its own.
            methods: All methods that are predicted. Pass the same sequence for each method of a comparison.
        """

        inputs = [*varied(profile, costs), (with_more_own_work(profile), costs)]
        *found, own = [
            cls(
                kinds=recorded.work(changed),
                costs=constants,
                nodes=nodes,
                batches_per_step=recorded.batches_per_step,
            )
            for changed, constants in inputs
        ]
        return *found, *(own if method == recorded.method else found[0] for method in methods)

    def time(self, links: LinkMap) -> StepTime:
        """Return the mean time of a step, over all steps of a long training."""
        if links not in self._known:
            self._known[links] = self._time(links)
        return self._known[links]

    def minibatch_seconds(self, links: LinkMap) -> float:
        """Return the mean seconds per minibatch, which is the number by which methods are compared.

        The number is the mean seconds of a step ÷ ``batches_per_step``.
        """
        return self.time(links).seconds / self.batches_per_step

    def _time(self, links: LinkMap) -> StepTime:
        ranks = RankLinks.of(links, self.kinds[0].work.world_size, self.costs.efficiency)
        times = [(kind.share, step_time(kind.work, ranks, self.costs, self.nodes)) for kind in self.kinds]
        return StepTime(
            compute_seconds=sum(share * time.compute_seconds for share, time in times),
            wire_seconds=sum(share * time.wire_seconds for share, time in times),
            compress_seconds=sum(share * time.compress_seconds for share, time in times),
            latency_seconds=sum(share * time.latency_seconds for share, time in times),
        )

    @property
    def compute_seconds(self) -> float:
        """Seconds of computing per step, the mean over all steps.

        Computing means the forward and backward passes, clipping and the optimizer.
        """
        return sum(kind.share * kind.work.compute_seconds for kind in self.kinds)

    @property
    def sent_bytes(self) -> float:
        """Payload bytes that a rank sends per step: the mean over all ranks and all steps of a long training."""
        return sum(kind.share * kind.work.sent_bytes for kind in self.kinds)

    def utilization(self, links: LinkMap) -> float:
        """Return the compute utilization, compute seconds ÷ step seconds."""
        return self.compute_seconds / self.time(links).seconds

    def rate_for(self, utilization: float, links: LinkMap) -> float | None:
        """Return the lowest link rate at which the compute utilization reaches ``utilization``.

        The rate is the up rate of the default link, in bits per second. None if no rate is high enough.

        Args:
            utilization: The compute utilization, from 0 to 1.
            links: The links; to vary the rate, all their rates are multiplied by one factor.
        """

        def above(rate: float) -> float:
            return self.utilization(links.at_rate(round(rate))) - utilization

        if above(HIGHEST_RATE) < 0:
            return None
        return LOWEST_RATE if above(LOWEST_RATE) >= 0 else crossing(above, LOWEST_RATE, HIGHEST_RATE, 0.02)

    def crossings(
        self, baseline_seconds: Callable[[LinkMap], float], links: LinkMap
    ) -> tuple[list[float], bool | None]:
        """Return (break-evens, is_faster) of this method, compared with a baseline.

        ``([2e6, 1e9], True)`` means: this method is faster below 2 Mbit/s, slower up to 1 Gbit/s, and faster above.

        - The break-evens are link rates from ``LOWEST_RATE`` to ``HIGHEST_RATE``, lowest first. They are up rates of
          the default link in bits per second.
        - ``is_faster`` is True if this method is faster at the lowest rate at which the methods' times differ, and
          False if the baseline is faster there. It is None if the methods are equally fast at every rate.

        Args:
            baseline_seconds: Takes this method's links. Returns the seconds that the baseline needs for as many samples
                as this method processes with one minibatch on each worker.
            links: The links; to vary the rate, all their rates are multiplied by one factor.
        """

        def slower(rate: float) -> float:
            at_rate = links.at_rate(round(rate))
            own, other = self.minibatch_seconds(at_rate), baseline_seconds(at_rate)
            return 0.0 if math.isclose(own, other, rel_tol=_EQUAL) else own - other

        signs = [(rate, found > 0) for rate in RATES if (found := slower(rate))]
        found_rates = [
            crossing(slower, low, high) for (low, before), (high, after) in itertools.pairwise(signs) if before != after
        ]
        return found_rates, not signs[0][1] if signs else None
