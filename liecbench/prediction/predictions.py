"""Predict step times, break-evens and needed bandwidths for methods, numbers of workers and links."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from liecbench.network.link_map import LinkMap
from liecbench.prediction.baseline_setting import BaselinePrediction
from liecbench.prediction.method_choice import Method
from liecbench.prediction.predicted_bandwidth import bandwidth_of
from liecbench.prediction.predicted_break_even import PredictedBreakEven, break_evens_of
from liecbench.prediction.predicted_rows import PredictedRow, predicted_rows
from liecbench.prediction.prediction_request import Request
from liecbench.prediction.predictor import Predictor
from liecbench.prediction.recorded_request import RecordedRequest
from liecbench.results.bandwidth_needed import BandwidthNeeded

_Made = dict[int, dict[Method, tuple[Predictor, ...]]]


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """The predictions for all methods, numbers of workers and links of a request.

    Items of ``request.links`` have the same shape if they differ only in a common factor of all rates, such as
    ``10mbit`` and ``100mbit``. Break-evens and bandwidths are predicted once per shape.

    Attributes:
        request: The request.
        rows: The predicted step of each method, for each number of workers and each item of ``request.links``. If the
            baseline has another setting, its rows follow.
        break_evens: The break-even of each method except the baseline itself, for each number of workers and each
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
    made = {
        workers: {
            method: Predictor.all_of(one, request.profile, request.costs, request.nodes, request.methods)
            for method, one in methods.items()
        }
        for workers, methods in recorded.methods.items()
    }
    rows: list[PredictedRow] = []
    break_evens: list[PredictedBreakEven] = []
    bandwidths: list[BandwidthNeeded] = []
    for workers, links in _settings(request):
        rows += _rows(made, recorded, workers, links, request)
    for workers in request.workers if with_bandwidths else ():
        baseline = _baseline(made, workers, request)
        for links in _shapes(request.links):
            break_evens += break_evens_of(made[workers], baseline, links, request.compute_source)
            bandwidths += [
                bandwidth_of(method.label(request.methods), method, workers, links, ones, request.compute_source)
                for method, ones in made[workers].items()
            ]
    return Predictions(
        request=request,
        rows=tuple(rows),
        break_evens=tuple(break_evens),
        bandwidths=tuple(bandwidths),
        largest_bytes=recorded.largest_bytes,
    )


def _settings(request: Request) -> list[tuple[int, LinkMap]]:
    """Return each number of workers with each link: those of the request, then those of the baseline alone."""
    asked = [(workers, links) for workers in request.workers for links in request.links]
    return list(dict.fromkeys([*asked, *(request.baseline_setting.of(*setting) for setting in asked)]))


def _rows(
    made: _Made, recorded: RecordedRequest, workers: int, links: LinkMap, request: Request
) -> Iterator[PredictedRow]:
    methods = recorded.methods[workers]
    if workers not in request.workers or links not in request.links:
        methods = {request.baseline: methods[request.baseline]}
    notes = {method: one.lacks_own_times(request.profile) for method, one in methods.items()}
    own = {method: made[workers][method] for method in methods}
    return predicted_rows(own, notes, _baseline(made, workers, request), links, request)


def _baseline(made: _Made, workers: int, request: Request) -> BaselinePrediction:
    fixed = request.baseline_setting
    own_workers = fixed.workers or workers
    return BaselinePrediction(
        workers=workers,
        own_workers=own_workers,
        link=fixed.link,
        predictors=made[own_workers][request.baseline],
    )


def _shapes(links: Sequence[LinkMap]) -> list[LinkMap]:
    """Return one item of ``links`` per ``LinkMap.shape``: the first item that has the shape.

    Two items have the same shape if multiplying all rates of one item by a single factor gives the other item.
    """
    found: dict[str, LinkMap] = {}
    for link in links:
        found.setdefault(link.shape, link)
    return list(found.values())
