"""Types of recorded numbers, each with a valid range. A record with a number outside its range is damaged."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, get_args

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import AfterValidator, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

# For dataclasses that pydantic reads from JSON: no text or bool in place of a number, and neither NaN nor infinity.
STRICT: Final = ConfigDict(strict=True, allow_inf_nan=False)
# Numbers that must agree may differ by this part, because they are rounded.
TOLERATED_ROUNDING: Final = 1e-6
_MOST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class _OrNull:
    """A marker for ``Annotated``: for a field of type ``Annotated[Seconds, _OrNull()]``, Pydantic also accepts null.

    ``__post_init__`` of the field's dataclass must replace the null by a value of the field's type.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.nullable_schema(handler(source))


@dataclass(frozen=True, slots=True)
class _Keys:
    """A marker for ``Annotated``: Pydantic requires all keys in ``names``, and drops all other keys of the dict.

    For example, ``Annotated[dict[str, Seconds], _Keys(("median", "p95"))]`` requires the keys ``median`` and ``p95``.
    """

    names: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        value = handler.generate_schema(get_args(source)[1])
        fields = {name: core_schema.typed_dict_field(value) for name in self.names}
        return core_schema.typed_dict_schema(fields, config={"strict": True, "allow_inf_nan": False})


def _check_gpu(value: dict[str, float]) -> dict[str, float]:
    for name, number in value.items():
        if number < 0 or (number > 1 and (name == "utilisation" or name.endswith("_share"))):
            raise ValueError(f"{name} is {number:g}")
    return value


Count = Annotated[int, Ge(0), Le(_MOST)]
Natural = Annotated[int, Ge(1), Le(_MOST)]
# Wider than the range of float32, and the square of any value within is still a finite float.
LARGEST: Final = 1e100
Real = Annotated[float, Ge(-LARGEST), Le(LARGEST)]
NonNegative = Annotated[float, Ge(0), Le(LARGEST)]
Positive = Annotated[float, Gt(0), Le(LARGEST)]
Seconds = Annotated[float, Ge(0), Le(1e10)]
# Null in the ledger if no step was timed; see ``Epoch.__post_init__``.
TimedSeconds = Annotated[Seconds, _OrNull()]
Fraction = Annotated[float, Ge(0), Le(1)]
Dilation = Annotated[float, Ge(1), Le(1e6)]
# The kernel counts a process's time and a processor's time by different clocks, so that a share can exceed 1.
CpuShare = Annotated[float, Ge(0), Le(2)]
# Two lists, ``sent`` and ``received``, with one number per rank each.
RankBytes = Annotated[dict[str, list[Count]], _Keys(("sent", "received"))]
StepSeconds = Annotated[dict[str, Seconds], _Keys(("median", "p95"))]
# The names of ``liecbench.host.gpu_sampler``. Utilisation and shares are fractions.
GpuFigures = Annotated[dict[str, Real], AfterValidator(_check_gpu)]
StepKinds = Annotated[dict[str, Natural], MinLen(1)]
