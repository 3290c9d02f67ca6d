"""The time that a transport takes per message, and the share of a link's rate that it reaches."""

from dataclasses import dataclass
from typing import Final, Literal, Self

from liecbench.algorithms.comm.path import GLOO_MESSAGE_SECONDS

Backend = Literal["gloo", "nccl"]
# Assumed, not measured: seconds per segment of a ring, and of DistributedDataParallel per step.
_GLOO_SEGMENT, _GLOO_STEP = 40e-6, 1e-3
# Assumed, not measured: a kernel launch and a network card's latency.
_NCCL_MESSAGE, _NCCL_STEP = 20e-6, 2e-4
# Messages up to this many times the largest measured one are predicted.
MOST_TIMES_LARGEST: Final = 16
_MESSAGE_SPREAD, _RATE_SPREAD = 0.3, 0.03
# The largest block, which is the largest message with a root server, of the measurements behind the defaults.
_LARGEST_BYTES: Final = 25 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportCosts:
    """Constants of a transport, measured or assumed.

    Attributes:
        backend: torch's backend.
        message_seconds: Seconds per message besides the transfer, such as processor time. An all-reduce counts as one
            message, and its segments take ``segment_seconds`` in addition.
        segment_seconds: Seconds per segment of an all-reduce besides the transfer. Over NCCL, an all-reduce among n
            ranks has 2(n − 1) segments.
        step_seconds: Seconds per step that do not depend on the number of messages. None if they are not measured;
            ``overhead_seconds`` then assumes a number.
        efficiency: The rate that frames reach, headers included, ÷ the link's nominal rate.
        slowdown: Factor by which the backward pass takes longer while the rank communicates.
        message_spread: Relative standard error of ``message_seconds``. The relative standard errors of
            ``segment_seconds`` and ``step_seconds`` have the same value.
        rate_spread: Relative standard error of ``efficiency``.
        largest_bytes: Size of the largest message in the measurements from which the constants were computed.
        workers: The numbers of workers in these measurements; empty if the constants are assumed.
        rates: The lowest and the highest link rate in these measurements, in bits per second; None if the constants are
            assumed.
        source: Where the constants come from, in words.
    """

    backend: Backend = "gloo"
    message_seconds: float = GLOO_MESSAGE_SECONDS
    segment_seconds: float = _GLOO_SEGMENT
    step_seconds: float | None = None
    efficiency: float = 1.0
    slowdown: float = 1.0
    message_spread: float = _MESSAGE_SPREAD
    rate_spread: float = _RATE_SPREAD
    largest_bytes: int = _LARGEST_BYTES
    workers: tuple[int, ...] = ()
    rates: tuple[int, int] | None = None
    source: str = "assumed: 180 µs per message over Gloo, as measured on 2 cores, and links that reach their rates"

    @classmethod
    def assumed(cls, backend: Backend) -> Self:
        """Return the constants to use if none were fitted on the machine."""
        if backend == "gloo":
            return cls()
        return cls(
            backend="nccl",
            message_seconds=_NCCL_MESSAGE,
            segment_seconds=_NCCL_MESSAGE,
            source="assumed, not measured: 20 µs per message over NCCL, and links that reach their rates",
        )

    def overhead_seconds(self, *, has_own_times: bool) -> float:
        """Return the seconds per step that do not depend on the number of messages.

        Args:
            has_own_times: True if the profile has the seconds of the method's own work.

        Returns:
            ``step_seconds`` if it is not None. Otherwise 0 if ``has_own_times``, because the method's own work already
            includes the overhead. Otherwise a number that is assumed for ``backend``.
        """
        if self.step_seconds is not None:
            return self.step_seconds
        return 0.0 if has_own_times else _GLOO_STEP if self.backend == "gloo" else _NCCL_STEP

    @property
    def announces(self) -> bool:
        """True if a sender waits until the receiver has announced that it is ready."""
        return self.backend == "gloo"
