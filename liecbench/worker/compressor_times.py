"""Measure the operations of a compressor on one device at several sizes, and fit lines of seconds against size."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import torch
from torch import Tensor

from liecbench.compressors.base import Compressor, Message
from liecbench.compressors.by_name import description
from liecbench.compressors.identity import Identity
from liecbench.compressors.majority_vote import Majority, Votes
from liecbench.profiles.line_fit import fit_line
from liecbench.profiles.profile import CompressorTimes, Line
from liecbench.worker.work_clock import PAUSE_SECONDS, thread_clock

_SMALLEST: Final = 2**10
_FACTOR: Final = 4
_MOST_ROUNDS: Final = 15
_FEWEST_ROUNDS: Final = 3
# Of one compressor's operations at all sizes.
_MOST_SECONDS: Final = 4.0

Operation = Callable[[], object]


def sizes_up_to(numel: int) -> list[int]:
    """Return the numbers of elements at which operations are measured, for a model of ``numel`` parameters."""
    sizes = [numel]
    while sizes[-1] >= _FACTOR * _SMALLEST:
        sizes.append(sizes[-1] // _FACTOR)
    return sizes[::-1]


def measure_compressor(compressor: Compressor, sizes: Sequence[int], device: torch.device) -> CompressorTimes:
    """Return the measured times of a compressor's operations on random vectors.

    The times of ``decompress`` include a check that the message is finite. For ``Identity``, they include only this
    check, because an uncompressed message needs no decompression. There is a pause before each operation.

    Args:
        compressor: The compressor.
        sizes: The numbers of elements of the vectors.
        device: The device of the vectors.
    """
    lines = measure_lines(_operations(compressor, sizes, device), device)
    return CompressorTimes(compressor=description(compressor), **lines)


def measure_copies(sizes: Sequence[int], device: torch.device) -> dict[str, Line]:
    """Measure the seconds of copies between a GPU and the host, and fit a line for each direction.

    Args:
        sizes: The numbers of float32 elements to copy.
        device: The GPU.

    Returns:
        The lines ``copy_to_host`` and ``copy_to_device``, by name. A line gives the seconds for a number of elements.
    """
    on_host, on_gpu = torch.zeros(max(sizes), pin_memory=True), torch.zeros(max(sizes), device=device)
    operations: dict[tuple[str, int], Operation] = {}
    for numel in sizes:
        operations["copy_to_host", numel] = partial(on_host[:numel].copy_, on_gpu[:numel])
        operations["copy_to_device", numel] = partial(on_gpu[:numel].copy_, on_host[:numel])
    return measure_lines(operations, device)


def measure_lines(operations: Mapping[tuple[str, int], Operation], device: torch.device) -> dict[str, Line]:
    """Measure each operation many times, with pauses; return, by name, a line of seconds against number of elements.

    Each line is fitted to the median seconds at every number of elements.

    Args:
        operations: The operations, by name and number of elements.
        device: The device that the operations use.
    """
    clock, seconds = thread_clock(device), {key: list[float]() for key in operations}
    for operation in operations.values():
        operation()  # compiles kernels
    until, num_rounds = time.monotonic() + _MOST_SECONDS, 0
    while num_rounds < _FEWEST_ROUNDS or (num_rounds < _MOST_ROUNDS and time.monotonic() < until):
        for key, operation in operations.items():
            time.sleep(PAUSE_SECONDS)
            start = clock.timestamp()
            operation()
            clock.record(start, clock.timestamp(), partial(_add, seconds[key]))
            clock.synchronize()
        num_rounds += 1
    points: dict[str, list[tuple[int, float]]] = {}
    for (name, numel), found in seconds.items():
        points.setdefault(name, []).append((numel, max(1e-9, statistics.median(found))))
    return {name: fit_line(found) for name, found in points.items()}


def _add(seconds: list[float], begin: float, end: float) -> None:
    seconds.append(end - begin)


def _operations(compressor: Compressor, sizes: Sequence[int], device: torch.device) -> dict[tuple[str, int], Operation]:
    source = torch.randn(max(sizes), generator=torch.Generator(device).manual_seed(0), device=device)
    out = torch.zeros(max(sizes), device=device)
    keeps_residual = not isinstance(compressor, Identity | Votes | Majority)
    residual = torch.zeros(max(sizes), device=device) if keeps_residual else None
    found: dict[tuple[str, int], Operation] = {}
    for numel in sizes:
        vector, target = source[:numel], out[:numel]
        rest = None if residual is None else residual[:numel]
        message = compressor.compress(vector, rest)
        found["compress", numel] = partial(compressor.compress, vector, rest)
        found["decompress", numel] = partial(_decompress, compressor, message, target)
        found["accumulate", numel] = partial(compressor.decompress, message, target, accumulate=True, weight=0.5)
    return found


def _decompress(compressor: Compressor, message: Message, out: Tensor) -> Tensor:
    if not isinstance(compressor, Identity):  # an uncompressed message is received in place
        compressor.decompress(message, out)
    return compressor.is_finite(message)
