"""The messages of all methods of a request. A request that cannot be predicted is refused while they are recorded."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from liecbench.errors import LiecbenchError
from liecbench.network.link_map import LinkMap
from liecbench.prediction.method_choice import Method
from liecbench.prediction.prediction_request import Request
from liecbench.prediction.recorded_method import RecordedMethod

if TYPE_CHECKING:
    from liecbench.compressors.base import Compressor

# Messages up to this many times the largest measured one are predicted.
_MOST_TIMES_LARGEST: Final = 16


@dataclass(frozen=True, kw_only=True)
class RecordedRequest:
    """The messages of a request's methods: ``methods[workers][method]``, for each number of workers of the request."""

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
        found = cls(methods=methods)
        for one in found:
            _require_known_sizes(one, request)
        return found

    def __iter__(self) -> Iterator[RecordedMethod]:
        """Yield each method on each number of workers."""
        for methods in self.methods.values():
            yield from methods.values()

    def timed_compressors(self) -> "list[Compressor]":
        """Return the compressors whose times a profile needs for predictions of the methods, without duplicates."""
        from liecbench.compressors.identity import Identity
        from liecbench.compressors.rounds import Rounds

        sent = (call.compressor for one in self for kind in one.kinds for call in kind.schedule.calls)
        # ``compressor_times`` computes the times of both from what is known without a measurement of their own.
        timed = (one.compressor if isinstance(one, Rounds) else one for one in sent if not isinstance(one, Identity))
        return list({repr(one): one for one in timed}.values())


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


def _require_known_sizes(recorded: RecordedMethod, request: Request) -> None:
    limit, largest = _MOST_TIMES_LARGEST * request.costs.largest_bytes, recorded.largest_bytes
    if largest > limit:
        raise LiecbenchError(
            f"{recorded.method.name}: a message of {largest:,} bytes is over {_MOST_TIMES_LARGEST} × the "
            f"largest one of the measurements, {request.costs.largest_bytes:,} bytes",
            f"measure larger ones with liecbench bench exchange --size {largest // 4} --format json",
        )
