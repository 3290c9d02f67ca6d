"""Predict step times, break-evens and needed bandwidths for methods, numbers of workers and links."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from liecbench.errors import LiecbenchError
from liecbench.network.link_map import LinkMap
from liecbench.prediction.method_choice import Method
from liecbench.prediction.predicted_bandwidth import bandwidth_of
from liecbench.prediction.predicted_break_even import PredictedBreakEven, break_evens_of
from liecbench.prediction.predicted_rows import PredictedRow, predicted_rows
from liecbench.prediction.prediction_request import Request
from liecbench.prediction.predictor import Predictor
from liecbench.prediction.recorded_method import RecordedMethod
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.results.bandwidth_needed import BandwidthNeeded

# Messages up to this many times the largest measured one are predicted.
_MOST_TIMES_LARGEST: Final = 16


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """The predictions for all methods, numbers of workers and links of a request.

    Items of ``request.links`` have the same shape if they differ only in a common factor of all rates, such as
    ``10mbit`` and ``100mbit``. Break-evens and bandwidths are predicted once per shape.

    Attributes:
        request: The request.
        rows: The predicted step of each method, for each number of workers and each item of ``request.links``.
        break_evens: The break-even of each method except ``request.baseline``, for each number of workers and each
            shape. Empty if ``predict`` was called with ``with_bandwidths=False``.
        bandwidths: The lowest link rates at which each method reaches given compute utilizations (compute seconds ÷
            step seconds), for each number of workers and each shape. Empty if ``predict`` was called with
            ``with_bandwidths=False``.
    """

    request: Request
    rows: tuple[PredictedRow, ...]
    break_evens: tuple[PredictedBreakEven, ...]
    bandwidths: tuple[BandwidthNeeded, ...]


def predict(request: Request, *, with_bandwidths: bool = True) -> Predictions:
    """Return the predictions for all methods, workers and links of a request.

    Args:
        request: The methods, workers and links, with the profile and the transport's constants.
        with_bandwidths: False to leave out break-evens and needed bandwidths, which take longer to compute than the
            predicted rows.

    Raises:
        LiecbenchError: If the inputs do not allow a prediction; the message says what to measure.
    """
    for links in request.links:
        _require_predictable(links)
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
            rows += predicted_rows(made, notes, workers, links, request)
        if with_bandwidths:
            for links in _shapes(request.links):
                break_evens += break_evens_of(made, request.baseline, workers, links, request.compute_source)
                labels = {method: method.label(request.methods) for method in made}
                bandwidths += [
                    bandwidth_of(labels[method], method, workers, links, ones, request.compute_source)
                    for method, ones in made.items()
                ]
    return Predictions(
        request=request,
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


def _shapes(links: Sequence[LinkMap]) -> list[LinkMap]:
    """Return one item of ``links`` per ``LinkMap.shape``: the first item that has the shape.

    Two items have the same shape if multiplying all rates of one item by a single factor gives the other item.
    """
    found: dict[str, LinkMap] = {}
    for link in links:
        found.setdefault(link.shape, link)
    return list(found.values())
