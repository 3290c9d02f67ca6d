"""Predict the step time and the speed-up of each method, for one number of workers and one set of links."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from liecbench.network.link_map import LinkMap
from liecbench.prediction.baseline_setting import BaselinePrediction
from liecbench.prediction.method_choice import Method
from liecbench.prediction.prediction_request import Request
from liecbench.prediction.predictor import Predictor
from liecbench.prediction.step_time import Bottleneck, StepTime
from liecbench.prediction.variants import interval
from liecbench.results.cell_groups import DENSE
from liecbench.results.statistics import Estimate


@dataclass(frozen=True, kw_only=True)
class PredictedRow:
    """The predicted step of one method with one number of workers and one set of links.

    Attributes:
        method: The method.
        workers: The number of workers.
        link: The links.
        step_seconds: Seconds per step. The 95 % interval follows from the standard errors of the prediction's inputs.
        batches_per_step: The number of minibatches that one worker computes per step.
        time: The seconds per step, in parts: computing, transfer, compression, and everything else.
        compute_utilization: Seconds of computing ÷ seconds of the step.
        sent_bytes: The payload bytes that a worker sends per step, the mean over workers. If nodes have several
            workers, the bytes that a node sends over its link, the mean over nodes.
        speedup: The speed-up over the baseline: the baseline's seconds ÷ the method's, for equally many samples.
        speedup_over_dense: The speed-up over the fastest of the methods ``ddp``, ``ddp_bf16`` and ``ddp_fp16``. None
            without such a method, in the row of the fastest one itself, and if the fastest one is the baseline.
        flags: Names of warnings, such as ``without_method_times``. The flags of every row include ``predicted``.
    """

    method: Method
    workers: int
    link: LinkMap
    step_seconds: Estimate
    batches_per_step: int
    time: StepTime
    compute_utilization: float
    sent_bytes: float
    speedup: Estimate
    speedup_over_dense: Estimate | None
    flags: tuple[str, ...]

    @property
    def bottleneck(self) -> Bottleneck | Literal["method"]:
        """The part of the step that takes longest: ``compute``, ``wire``, ``compress``, ``method`` or ``latency``.

        ``method`` is the method's own arithmetic. It replaces ``compress`` if the method has no compressor.
        """
        found = self.time.bottleneck
        return "method" if found == "compress" and self.method.compressor is None else found


def predicted_rows(
    made: "dict[Method, tuple[Predictor, ...]]",
    lacking: "dict[Method, bool]",
    baseline: BaselinePrediction,
    links: LinkMap,
    request: Request,
) -> Iterator[PredictedRow]:
    """Yield the prediction for each method, the fastest method first.

    Args:
        made: For each method, the tuple that ``Predictor.all_of`` returns. The first predictor uses the profile and the
            transport's costs as given. Each later predictor has one input, such as the compute seconds, changed by the
            input's standard error.
        lacking: For each method, True if the profile lacks the times of the method's own work (see ``MethodTimes``).
        baseline: The baseline with which the methods are compared, which has the number of workers, too.
        links: The links of all workers, or of all nodes if a node has several workers.
        request: The request, which has the profile and the transport's costs.
    """
    seconds = {method: [one.minibatch_seconds(links) for one in ones] for method, ones in made.items()}
    dense = min(
        (method for method in made if method.algorithm.name in DENSE), key=lambda one: seconds[one][0], default=None
    )
    common, of_baseline = _flags(baseline.workers, links, request), baseline.seconds(links)
    for method, (first, *_) in sorted(made.items(), key=lambda item: seconds[item[0]][0]):
        own = seconds[method]

        def over(other: list[float], own: list[float] = own) -> Estimate:
            return interval([theirs / mine for theirs, mine in zip(other, own, strict=True)])

        # The speed-up over the baseline is known already, if it is the fastest dense method of this setting.
        known = (method, request.baseline) if baseline.is_of(links) else (method,)
        flags = (*common, *(("without_method_times",) if lacking[method] else ()))
        yield PredictedRow(
            method=method,
            workers=baseline.workers,
            link=links,
            step_seconds=interval([one.time(links).seconds for one in made[method]]),
            batches_per_step=first.batches_per_step,
            time=first.time(links),
            compute_utilization=first.utilization(links),
            sent_bytes=first.sent_bytes,
            speedup=over(of_baseline),
            speedup_over_dense=None if dense is None or dense in known else over(seconds[dense]),
            flags=flags,
        )


def _flags(workers: int, links: LinkMap, request: Request) -> tuple[str, ...]:
    costs, flags = request.costs, ["predicted"]
    if request.profile.origin == "assumed":
        flags.append("assumed_profile")
    if costs.rates is None:
        flags.append("assumed_transport")
    else:
        low, high = costs.rates
        rates = [rate for link in links.links() for rate in (link.up_bits_per_second, link.down_bits_per_second)]
        if min(rates) < low or max(rates) > high:
            flags.append("extrapolated_rate")
        if costs.workers and not min(costs.workers) <= workers <= max(costs.workers):
            flags.append("extrapolated_workers")
    if request.ranks_per_node > 1:
        flags.append("assumed_nodes")
    if any(link.jitter_seconds for link in links.links()):
        flags.append("without_jitter")
    return tuple(flags)
