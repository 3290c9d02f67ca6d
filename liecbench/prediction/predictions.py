"""Predicted rows, break-evens and needed bandwidths for methods, numbers of workers and links."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from liecbench.errors import LiecbenchError
from liecbench.network.link_map import LinkMap
from liecbench.prediction.node_links import NodeLinks
from liecbench.prediction.predicted_break_even import PredictedBreakEven, break_evens_of
from liecbench.prediction.predictor import HIGHEST_RATE, LOWEST_RATE, Predictor
from liecbench.prediction.recorded_method import Method, RecordedMethod
from liecbench.prediction.step_time import Bottleneck, StepTime
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.prediction.variants import interval
from liecbench.profiles.profile import Profile
from liecbench.results.bandwidth_needed import UTILIZATIONS, BandwidthNeeded, LimitingPart, NeededRate
from liecbench.results.cell_groups import DENSE
from liecbench.results.statistics import Estimate
from liecbench.results.whose_compute import ComputeSource, StepCompute

# Messages up to this many times the largest measured one are predicted.
_MOST_TIMES_LARGEST: Final = 16


@dataclass(frozen=True, kw_only=True)
class Request:
    """Everything that predictions are made from.

    Attributes:
        profile: The times of one device.
        methods: The methods.
        baseline: The name of the algorithm that others are compared with; None for the first method.
        workers: Numbers of workers.
        links: The links, all shaped.
        costs: The transport's constants.
        ranks_per_node: The number of workers per node.
        inner_bits_per_second: The rate of the links inside nodes; needed if ``ranks_per_node`` is above 1.
    """

    profile: Profile
    methods: tuple[Method, ...]
    baseline: str | None
    workers: tuple[int, ...]
    links: tuple[LinkMap, ...]
    costs: TransportCosts
    ranks_per_node: int = 1
    inner_bits_per_second: float | None = None

    @property
    def compute(self) -> StepCompute:
        """The seconds that a step of the profile computes."""
        source: ComputeSource = "assumed" if self.profile.origin == "assumed" else "predicted"
        return StepCompute(seconds=self.profile.compute_seconds, source=source)

    @property
    def nodes(self) -> NodeLinks | None:
        """The links inside nodes; None if every worker is a node."""
        if self.ranks_per_node == 1 or self.inner_bits_per_second is None:
            return None
        return NodeLinks(ranks_per_node=self.ranks_per_node, bits_per_second=self.inner_bits_per_second)


@dataclass(frozen=True, kw_only=True)
class PredictedRow:
    """The predicted step of one method on one number of workers and one link.

    Attributes:
        method: The method.
        workers: The number of workers.
        link: The links.
        step_seconds: Seconds per step, with the interval that the inputs' errors give.
        time: The parts of the step.
        sent_bytes: Payload bytes that a worker sends per step, the mean over workers.
        speedup: Seconds of the baseline ÷ seconds of this row; None without a baseline.
        speedup_over_dense: Seconds of the fastest method without compression ÷ seconds of this row; None without one.
        flags: Short names of what a reader must know, ``predicted`` among them.
    """

    method: Method
    workers: int
    link: LinkMap
    step_seconds: Estimate
    time: StepTime
    compute_utilization: float
    sent_bytes: float
    speedup: Estimate | None
    speedup_over_dense: Estimate | None
    flags: tuple[str, ...]

    @property
    def bottleneck(self) -> Bottleneck | Literal["method"]:
        """The largest part of the step; ``method`` in place of ``compress`` if the method has no compressor."""
        found = self.time.bottleneck
        return "method" if found == "compress" and self.method.compressor is None else found


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """All predictions of a request."""

    request: Request
    baseline: Method | None
    rows: tuple[PredictedRow, ...]
    break_evens: tuple[PredictedBreakEven, ...]
    bandwidths: tuple[BandwidthNeeded, ...]


def predict(request: Request, *, with_bandwidths: bool = True) -> Predictions:
    """Return the predictions for all methods, workers and links of a request.

    Args:
        request: What to predict.
        with_bandwidths: False to leave out break-evens and needed bandwidths, which take more time than rows.

    Raises:
        LiecbenchError: If the inputs do not allow a prediction; the message says what to measure.
    """
    for links in request.links:
        _require_predictable(links)
    baseline = _baseline(request)
    rows: list[PredictedRow] = []
    break_evens: list[PredictedBreakEven] = []
    bandwidths: list[BandwidthNeeded] = []
    for workers in request.workers:
        recorded = {method: _record(method, workers, request) for method in request.methods}
        made = {
            method: Predictor.all_of(one, request.profile, request.costs, request.nodes)
            for method, one in recorded.items()
        }
        _require_known_sizes(made, request.costs)
        notes = {method: one.lacks_own_times(request.profile) for method, one in recorded.items()}
        for links in request.links:
            rows += _rows(made, notes, baseline, workers, links, request)
        if with_bandwidths:
            for links in _shapes(request.links):
                break_evens += break_evens_of(made, baseline, workers, links)
                labels = {method: method.label(request.methods) for method in made}
                bandwidths += [
                    _bandwidth(labels[method], method, workers, links, ones, request) for method, ones in made.items()
                ]
    return Predictions(
        request=request,
        baseline=baseline,
        rows=tuple(rows),
        break_evens=tuple(break_evens),
        bandwidths=tuple(bandwidths),
    )


def _record(method: Method, workers: int, request: Request) -> RecordedMethod:
    if workers % request.ranks_per_node:
        raise LiecbenchError(
            f"{workers} workers are no whole number of nodes with {request.ranks_per_node} each",
            "give --workers as multiples of --ranks-per-node",
        )
    return RecordedMethod.of(method, request.profile, workers // request.ranks_per_node)


def _baseline(request: Request) -> Method | None:
    if request.baseline is None:
        return request.methods[0] if request.methods else None
    return next((one for one in request.methods if one.algorithm.name == request.baseline), None)


def _require_predictable(links: LinkMap) -> None:
    if not links.shaped:
        raise LiecbenchError(
            f"link {links}: it has no rate, so that nothing can be predicted", "give a rate such as 1gbit"
        )
    if any(link.loss for link in links.links()):
        raise LiecbenchError(
            f"link {links}: links that lose frames are not predicted",
            "measure them with liecbench run, or leave the loss out",
        )


def _require_known_sizes(made: "dict[Method, tuple[Predictor, ...]]", costs: TransportCosts) -> None:
    limit = _MOST_TIMES_LARGEST * costs.largest_bytes
    for method, (first, *_) in made.items():
        if first.largest_bytes > limit:
            raise LiecbenchError(
                f"{method.name}: a message of {first.largest_bytes:,} bytes is over {_MOST_TIMES_LARGEST} × the "
                f"largest one of the measurements, {costs.largest_bytes:,} bytes",
                f"measure larger ones with liecbench bench exchange --size {first.largest_bytes // 4} --format json",
            )


def _rows(
    made: "dict[Method, tuple[Predictor, ...]]",
    lacking: "dict[Method, bool]",
    baseline: Method | None,
    workers: int,
    links: LinkMap,
    request: Request,
) -> Iterator[PredictedRow]:
    seconds = {method: [one.time(links).seconds for one in ones] for method, ones in made.items()}
    dense = min(
        (method for method in made if method.algorithm.name in DENSE), key=lambda one: seconds[one][0], default=None
    )
    common = _flags(workers, links, request)
    for method, (first, *_) in sorted(made.items(), key=lambda item: seconds[item[0]][0]):
        own = seconds[method]

        def over(other: Method | None, own: list[float] = own) -> Estimate | None:
            if other is None:
                return None
            return interval([theirs / mine for theirs, mine in zip(seconds[other], own, strict=True)])

        flags = (*common, *(("without_method_times",) if lacking[method] else ()))
        yield PredictedRow(
            method=method,
            workers=workers,
            link=links,
            step_seconds=interval(own),
            time=first.time(links),
            compute_utilization=first.utilization(links),
            sent_bytes=first.sent_bytes,
            speedup=over(baseline),
            speedup_over_dense=None if dense in (baseline, method) else over(dense),
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


def _shapes(links: Sequence[LinkMap]) -> list[LinkMap]:
    """Return one of the links for each shape: links that differ only in a factor of all rates have the same."""
    found: dict[str, LinkMap] = {}
    for link in links:
        found.setdefault(link.shape, link)
    return list(found.values())


def _bandwidth(
    label: str, method: Method, workers: int, links: LinkMap, ones: tuple[Predictor, ...], request: Request
) -> BandwidthNeeded:
    rates = []
    for utilization in UTILIZATIONS:
        found = ones[0].rate_for(utilization, links)
        low = high = found
        if found is not None:
            values = [one.rate_for(utilization, links) for one in ones]
            known = [value for value in values if value is not None]
            estimate = interval(known)
            low, high = estimate.low, (estimate.high if len(known) == len(values) else None)
            if found <= LOWEST_RATE:
                low = None  # it is reached at every rate that is looked at
        rates.append(
            NeededRate(utilization=utilization, low_bits_per_second=low, high_bits_per_second=high, basis="predicted")
        )
    best = links.at_rate(round(HIGHEST_RATE))
    time = ones[0].time(best)
    limited: LimitingPart | None = None
    if time.seconds > time.compute_seconds:
        own: LimitingPart = "method" if method.compressor is None else "compression"
        limited = own if time.compress_seconds > time.latency_seconds else "latency"
    setting = "" if links.shape == "" else f" {links.shape}"
    return BandwidthNeeded(
        name=f"{label}{setting}",
        workers=workers,
        link=links,
        compute=StepCompute(seconds=ones[0].compute_seconds, source=request.compute.source),
        rates=tuple(rates),
        highest_utilization=ones[0].utilization(best),
        limited_by=limited,
        num_rates=0,
    )
