"""The messages of all methods of a request. A request that cannot be predicted is refused while they are recorded."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from liecbench.errors import LiecbenchError
from liecbench.network.link_map import LinkMap
from liecbench.prediction.method_choice import Method
from liecbench.prediction.prediction_request import Request
from liecbench.prediction.recorded_method import RecordedMethod
from liecbench.prediction.transport_command import MOST_PREDICTED, transport_advice
from liecbench.prediction.transport_costs import MOST_TIMES_LARGEST

if TYPE_CHECKING:
    from liecbench.compressors.base import Compressor


@dataclass(frozen=True, kw_only=True)
class RecordedRequest:
    """The messages of a request's methods: ``methods[workers][method]``.

    There is an entry per number of workers of the request. If the baseline has a number of workers that the request
    lacks, one more entry holds only the baseline.
    """

    methods: dict[int, dict[Method, RecordedMethod]]

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return the messages of all methods of a request.

        Of ``request.profile``, only the shapes and dtypes of the parameters are used, so that the request can be
        checked before anything is measured.

        Raises:
            LiecbenchError: If no measurement of compute or compression would make the request predictable.
        """
        for links in request.links:
            _require_predictable(links)
        methods = {
            workers: {method: _record(method, workers, request) for method in request.methods}
            for workers in request.workers
        }
        methods |= _baseline(request)
        found = cls(methods=methods)
        found._require_known_sizes(request)
        return found

    def __iter__(self) -> Iterator[RecordedMethod]:
        """Yield each method on each number of workers."""
        for methods in self.methods.values():
            yield from methods.values()

    @property
    def largest_bytes(self) -> int:
        """The bytes of the largest message of all methods on all numbers of workers."""
        return max(one.largest_bytes for one in self)

    def timed_compressors(self) -> "list[Compressor]":
        """Return the compressors whose times a profile needs for predictions of the methods, without duplicates."""
        from liecbench.compressors.identity import Identity
        from liecbench.compressors.rounds import Rounds

        sent = (call.compressor for one in self for kind in one.kinds for call in kind.schedule.calls)
        # ``compressor_times`` computes the times of both from what is known without a measurement of their own.
        timed = (one.compressor if isinstance(one, Rounds) else one for one in sent if not isinstance(one, Identity))
        return list({repr(one): one for one in timed}.values())

    def _require_known_sizes(self, request: Request) -> None:
        largest, measured = max(self, key=lambda one: one.largest_bytes), request.costs.largest_bytes
        message = f"{largest.method.name}: a message of {largest.largest_bytes:,} bytes is over"
        if largest.largest_bytes > MOST_PREDICTED:
            remedy = "give more workers, smaller blocks (block_bytes: 25MiB), or server: sharded"
            raise LiecbenchError(f"{message} {MOST_PREDICTED:,} bytes, for which nothing can be measured", remedy)
        known = "for which costs are assumed" if request.costs.rates is None else "of the measurements"
        if largest.largest_bytes > MOST_TIMES_LARGEST * measured:
            raise LiecbenchError(
                f"{message} {MOST_TIMES_LARGEST} × the largest one {known}, {measured:,} bytes",
                f"measure larger ones with {transport_advice(request, largest.largest_bytes)}",
            )


def _baseline(request: Request) -> dict[int, dict[Method, RecordedMethod]]:
    """Return the messages of the baseline on the number of workers that only the baseline has; empty without such."""
    fixed, baseline = request.baseline_setting, request.baseline
    try:
        if fixed.link is not None:
            _require_predictable(fixed.link)
        if fixed.workers is None or fixed.workers in request.workers:
            return {}
        return {fixed.workers: {baseline: _record(baseline, fixed.workers, request)}}
    except LiecbenchError as error:
        raise LiecbenchError(
            f"the scenario's baseline: {error}", f"or add --baseline {baseline.algorithm.name}"
        ) from None


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


def _record(method: Method, workers: int, request: Request) -> RecordedMethod:
    if workers % request.ranks_per_node:
        raise LiecbenchError(
            f"{workers} workers are no whole number of nodes with {request.ranks_per_node} each",
            "give --workers as multiples of --ranks-per-node",
        )
    return RecordedMethod.of(method, request.profile, workers // request.ranks_per_node)
