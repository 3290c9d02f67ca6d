"""The pydantic type of a scenario's ``timing``, and the smallest ``timing_precision`` that it may ask for."""

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator

FINEST_PRECISION: Final = 0.001
_REPLACED: Final = {"measured": "end_to_end", "composed": "interleaved"}


def _current(value: object) -> object:
    if isinstance(value, str) and value in _REPLACED:
        raise ValueError(f"{value!r} is no longer a timing; write {_REPLACED[value]}")
    return value


TimingChoice = Annotated[Literal["interleaved", "end_to_end"], BeforeValidator(_current)]
