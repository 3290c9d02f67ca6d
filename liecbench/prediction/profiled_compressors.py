"""Look up a compressor's times in a profile."""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from liecbench.errors import LiecbenchError
from liecbench.profiles.profile import CompressorTimes, Line, Profile

if TYPE_CHECKING:
    from liecbench.compressors.base import Compressor

# Uncompressed messages are received in place, and added with one pass over memory: about 0.5 ns per element on a CPU.
_IDENTITY: Final = {"name": "identity"}
_UNCOMPRESSED: Final = CompressorTimes(
    compressor=_IDENTITY,
    compress=Line(constant=0.0, per_element=0.0),
    decompress=Line(constant=0.0, per_element=0.0),
    accumulate=Line(constant=0.0, per_element=5e-10),
)


def compressor_times(compressor: "Compressor", profile: Profile, method: str) -> CompressorTimes:
    """Return the times of a compressor, from a profile.

    Two compressors have times even if the profile does not hold them:

    - ``Identity``: assumed times
    - ``Rounds``: the times of the compressor that ``Rounds`` applies repeatedly, multiplied by the number of rounds

    Args:
        compressor: The compressor.
        profile: The profile.
        method: The method that uses the compressor, for the error message, such as ``memsgd with top_k``.

    Raises:
        LiecbenchError: If the compressor has no times. The message says how to measure the times.
    """
    from liecbench.compressors.by_name import description
    from liecbench.compressors.rounds import Rounds

    wanted = description(compressor)
    times = profile.compressor_times(wanted)
    if times is not None:
        return times
    if wanted == _IDENTITY:
        return _UNCOMPRESSED
    if isinstance(compressor, Rounds):
        return _repeated(compressor_times(compressor.compressor, profile, method), compressor.rounds)
    raise LiecbenchError(
        f"the profile has no times of the compressor {_text(wanted)}, only of {_known(profile.compressors)}",
        f"measure a profile with liecbench profile SCENARIO, after adding {method} to the scenario, or leave it out",
    )


def _known(compressors: Sequence[CompressorTimes]) -> str:
    return ", ".join(_text(times.compressor) for times in compressors) or "none"


def _text(spec: dict[str, Any]) -> str:
    options = ", ".join(f"{name}: {value}" for name, value in spec.items() if name != "name")
    return f"{spec.get('name')} ({options})" if options else str(spec.get("name"))


def _repeated(times: CompressorTimes, rounds: int) -> CompressorTimes:
    """Return ``times`` multiplied by ``rounds``, for a compressor that is applied ``rounds`` times."""
    line = functools.partial(_scaled_line, factor=float(rounds))
    return CompressorTimes(
        compressor=times.compressor,
        compress=line(times.compress),
        decompress=line(times.decompress),
        accumulate=line(times.accumulate),
    )


def _scaled_line(line: Line, factor: float) -> Line:
    return Line(constant=factor * line.constant, per_element=factor * line.per_element)
