"""Predict step times, break-evens and needed bandwidths for methods, numbers of workers and links."""

from collections.abc import Sequence
from dataclasses import dataclass

from liecbench.network.link_map import LinkMap
from liecbench.prediction.predicted_bandwidth import bandwidth_of
from liecbench.prediction.predicted_break_even import PredictedBreakEven, break_evens_of
from liecbench.prediction.predicted_rows import PredictedRow, predicted_rows
from liecbench.prediction.prediction_request import Request
from liecbench.prediction.predictor import Predictor
from liecbench.prediction.recorded_request import RecordedRequest
from liecbench.results.bandwidth_needed import BandwidthNeeded


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
        largest_bytes: The size of the largest message of the predicted steps.
    """

    request: Request
    rows: tuple[PredictedRow, ...]
    break_evens: tuple[PredictedBreakEven, ...]
    bandwidths: tuple[BandwidthNeeded, ...]
    largest_bytes: int


def predict(request: Request, recorded: RecordedRequest | None = None, *, with_bandwidths: bool = True) -> Predictions:
    """Return the predictions for all methods, workers and links of a request.

    Args:
        request: The methods, workers and links, with the profile and the transport's constants.
        recorded: The messages of the methods, if they are recorded already, for a profile of the same parameters.
        with_bandwidths: False to leave out break-evens and needed bandwidths, which take longer to compute than the
            predicted rows.

    Raises:
        LiecbenchError: If the inputs do not allow a prediction; the message says what to measure.
    """
    recorded = RecordedRequest.of(request) if recorded is None else recorded
    rows: list[PredictedRow] = []
    break_evens: list[PredictedBreakEven] = []
    bandwidths: list[BandwidthNeeded] = []
    for workers in request.workers:
        methods = recorded.methods[workers]
        made = {
            method: Predictor.all_of(one, request.profile, request.costs, request.nodes)
            for method, one in methods.items()
        }
        notes = {method: one.lacks_own_times(request.profile) for method, one in methods.items()}
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
        largest_bytes=recorded.largest_bytes,
    )


def _shapes(links: Sequence[LinkMap]) -> list[LinkMap]:
    """Return one item of ``links`` per ``LinkMap.shape``: the first item that has the shape.

    Two items have the same shape if multiplying all rates of one item by a single factor gives the other item.
    """
    found: dict[str, LinkMap] = {}
    for link in links:
        found.setdefault(link.shape, link)
    return list(found.values())
