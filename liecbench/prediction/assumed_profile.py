"""An assumed profile, given only the number of parameters and the seconds of a step."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from liecbench.profiles.profile import CompressorTimes, Duration, Line, ParameterTimes, Profile

if TYPE_CHECKING:
    from liecbench.compressors.base import Compressor

# A transformer layer of width d has 12 d² parameters. Models of usual shape are 64 to 128 times as wide as deep.
_PARAMETERS_PER_SQUARE: Final = 12
_WIDTH_PER_LAYER: Final = 64
_BACKWARD_SHARE: Final = 2 / 3
_SIZES: Final = (2**14, 2**20)


def assumed_profile(
    num_parameters: int,
    step_seconds: float,
    compressors: Sequence["Compressor"] = (),
    *,
    compress_gbytes_per_second: float | None = None,
) -> Profile:
    """Return an assumed profile of a model that was not measured.

    Args:
        num_parameters: The number of trainable parameters.
        step_seconds: Seconds that a step computes on one device.
        compressors: The compressors whose times the profile has.
        compress_gbytes_per_second: Gigabytes of float32 gradient that each operation of a compressor processes per
            second; None to measure each compressor now, on one thread of this machine.
    """
    backward = _BACKWARD_SHARE * step_seconds
    shapes = _layer_shapes(num_parameters)
    parameters = tuple(
        ParameterTimes(
            name=f"layer{index}" if index < len(shapes) - 1 else "last",
            shape=shape,
            ready_seconds=backward * (len(shapes) - index) / len(shapes),
        )
        for index, shape in enumerate(shapes)
    )
    speed: tuple[str, ...]
    if not compressors:
        speed = ()
    elif compress_gbytes_per_second is None:
        speed = ("compression takes as long as measured now on one thread of this machine's CPU",)
    else:
        speed = (f"a compressor's operations process {compress_gbytes_per_second:g} GB of gradient per second each",)
    return Profile(
        schema=1,
        origin="assumed",
        assumptions=(
            f"a step of one worker computes {step_seconds:g} s, two thirds of it in the backward pass",
            "gradients become ready evenly over the backward pass, from the last layer to the first",
            f"{num_parameters:,} float32 parameters in {len(shapes)} tensors, one per layer of a transformer "
            f"that is {_WIDTH_PER_LAYER} times as wide as deep",
            *speed,
            "methods take no time beyond computing and their compressor's operations",
        ),
        forward=Duration(median=step_seconds - backward, spread=0.0),
        backward=Duration(median=backward, spread=0.0),
        optimizer=Duration(median=0.0, spread=0.0),
        parameters=parameters,
        compressors=tuple(_times(compressor, compress_gbytes_per_second) for compressor in compressors),
    )


def _layer_shapes(num_parameters: int) -> list[tuple[int, ...]]:
    """Return the shapes of an assumed model's parameters, which have ``num_parameters`` elements in total.

    Each layer has one matrix, and all matrices have equal shapes. A vector for the remaining elements, if any, follows.
    """
    per_cube = _PARAMETERS_PER_SQUARE * _WIDTH_PER_LAYER**2
    layers = max(1, round((num_parameters / per_cube) ** (1 / 3)))
    width = min(_WIDTH_PER_LAYER * layers, max(1, num_parameters // layers))
    rows = num_parameters // (layers * width)
    left = num_parameters - layers * rows * width
    return [(rows, width)] * layers + ([(left,)] if left else [])


def _times(compressor: "Compressor", gbytes_per_second: float | None) -> CompressorTimes:
    from liecbench.compressors.by_name import description

    if gbytes_per_second is not None:
        line = Line(constant=0.0, per_element=4 / (gbytes_per_second * 1e9))
        return CompressorTimes(compressor=description(compressor), compress=line, decompress=line, accumulate=line)
    import torch

    from liecbench.worker.compressor_times import measure_compressor

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return measure_compressor(compressor, _SIZES, torch.device("cpu"))
    finally:
        torch.set_num_threads(threads)
