"""Profiles of made-up models, with times that are easy to compute with."""

from collections.abc import Sequence

from liecbench.profiles.profile import CompressorTimes, Duration, Line, ParameterTimes, Profile

SIGN = {"name": "sign"}


def made_profile(
    numels: Sequence[int] = (100_000,),
    *,
    forward: float = 0.01,
    backward: float = 0.02,
    ready: Sequence[float] | None = None,
    compress: float = 1e-9,
    spread: float = 0.0,
) -> Profile:
    """Return a profile whose gradients are ready at ``ready``, by default all at the end of the backward pass."""
    line = Line(constant=0.0, per_element=compress)
    identity = Line(constant=0.0, per_element=0.0)
    times = ready or [backward] * len(numels)
    return Profile(
        forward=Duration(median=forward, spread=spread * forward),
        backward=Duration(median=backward, spread=spread * backward),
        optimizer=Duration(median=0.0),
        parameters=tuple(
            ParameterTimes(name=f"p{index}", shape=(numel,), ready_seconds=seconds)
            for index, (numel, seconds) in enumerate(zip(numels, times, strict=True))
        ),
        compressors=(
            CompressorTimes(compressor=SIGN, compress=line, decompress=line, accumulate=line),
            CompressorTimes(
                compressor={"name": "identity"}, compress=identity, decompress=identity, accumulate=identity
            ),
        ),
    )


def small_mlp_profile() -> Profile:
    """Return a profile with the parameters of an MLP for digits with one hidden layer of width 8: 610 elements."""
    made = made_profile([512, 8, 80, 10])
    shapes = [(8, 64), (8,), (10, 8), (10,)]
    parameters = tuple(
        parameter.model_copy(update={"shape": shape}) for parameter, shape in zip(made.parameters, shapes, strict=True)
    )
    return made.model_copy(update={"parameters": parameters})
