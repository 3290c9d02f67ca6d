"""The pydantic type of ``timing``, whether steps are timed in sessions or while training, and a limit of sessions."""

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator

FINEST_PRECISION: Final = 0.001  # the least ``timing_precision`` of a scenario
_REPLACED: Final = {"measured": "end_to_end", "composed": "interleaved"}


def _current(value: object) -> object:
    if isinstance(value, str) and value in _REPLACED:
        raise ValueError(f"{value!r} is no longer a timing; write {_REPLACED[value]}")
    return value


TimingChoice = Annotated[Literal["interleaved", "end_to_end"], BeforeValidator(_current)]
