"""The fields of an epoch's record that a baseline stores, because checks need them."""

import dataclasses
import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Self

from annotated_types import Ge, Le
from pydantic import ConfigDict, TypeAdapter

from liecbench.results.ranges import Count, CpuShare, Fraction, Natural, NonNegative, Real, Seconds
from liecbench.results.records import Epoch

_STRICT: Final = ConfigDict(strict=True, allow_inf_nan=False, extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBytes:
    """The payload bytes or the wire bytes of an epoch.

    Attributes:
        sent: The bytes that each rank sent, one number per rank.
        received: The bytes that each rank received, one number per rank.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    sent: list[Count]
    received: list[Count]

    @property
    def total(self) -> int:
        """The sum of the bytes sent and the bytes received, over all ranks."""
        return sum(self.sent) + sum(self.received)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFirstSteps:
    """The losses of a cell's first steps, and the compression error and residual norm after the last of these steps."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    train_loss: list[Real]
    compression_error: NonNegative | None
    residual_norm: NonNegative | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEpoch:
    """The fields of an epoch's record that checks need; accuracy is a fraction."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    epoch: Annotated[int, Ge(1), Le(10**9)]
    steps: Annotated[int, Ge(1), Le(10**9)]
    timed_steps: Count
    payload_bytes: StoredBytes
    messages: list[Count]
    wire_bytes: StoredBytes | None
    compression_error: NonNegative | None
    residual_norm: NonNegative | None
    train_loss: Real | None
    test_loss: Real | None
    test_accuracy: Fraction | None
    train_seconds: Seconds
    exposed_seconds: Seconds
    communicate_seconds: Seconds
    least_communicate_seconds: Seconds | None
    other_cpu_share: CpuShare | None
    first_steps: StoredFirstSteps | None = None
    tokens: Natural | None = None

    @classmethod
    def of(cls, epoch: Epoch, *, is_trained: bool = True) -> Self:
        """Return the part of an epoch's record that a baseline stores.

        If the epoch was only timed, not trained (``is_trained`` is False), losses and accuracy are None.

        Raises ValidationError if a value is out of bounds.
        """
        fields = dict(zip(_STORED, _STORED_OF(epoch), strict=True))
        if epoch.first_steps is not None:
            fields["first_steps"] = dataclasses.asdict(epoch.first_steps)
        fields |= {} if is_trained else dict.fromkeys(OF_TRAINING)
        found: Self = _epoch_adapter().validate_python(fields, strict=False)
        return found

    def has_ranks(self, count: int) -> bool:
        """Return True if the epoch has the bytes and messages of exactly ``count`` ranks."""
        payload, wire = self.payload_bytes, self.wire_bytes
        if not len(payload.sent) == len(payload.received) == len(self.messages) == count:
            return False
        return wire is None or len(wire.sent) == len(wire.received) == count

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name, without the fields in ``_LATER`` whose value is None."""
        fields: dict[str, Any] = _epoch_adapter().dump_python(self)
        return {name: value for name, value in fields.items() if value is not None or name not in _LATER}


@functools.cache
def _epoch_adapter() -> TypeAdapter[Any]:
    return TypeAdapter(StoredEpoch)


# Null if only steps of a profile were timed.
OF_TRAINING: Final = ("train_loss", "test_loss", "test_accuracy")
# Fields that earlier versions do not know.
_LATER: Final = ("first_steps", "tokens")
_STORED: Final = tuple(one.name for one in dataclasses.fields(StoredEpoch))

_STORED_OF: Final[Callable[[Epoch], tuple[Any, ...]]] = operator.attrgetter(*_STORED)
