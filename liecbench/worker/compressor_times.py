"""Measure the operations of a compressor on one device at several sizes, as lines of seconds over size."""

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import torch
from torch import Tensor

from liecbench.compressors.base import Compressor
from liecbench.compressors.by_name import description
from liecbench.compressors.identity import Identity
from liecbench.compressors.majority_vote import Majority, Votes
from liecbench.profiles.line_fit import fit_line
from liecbench.profiles.profile import CompressorTimes, Line
from liecbench.worker.plain_steps import PAUSE_SECONDS
from liecbench.worker.work_clock import thread_clock

_SMALLEST: Final = 2**10
_FACTOR: Final = 4
_NUM_REPEATS: Final = 9
_FEWEST_REPEATS: Final = 3
# Of one operation at one size.
_MOST_SECONDS: Final = 0.5


def sizes_up_to(numel: int) -> list[int]:
    """Return the numbers of elements at which operations are measured, for a model of ``numel`` parameters."""
    sizes = [numel]
    while sizes[-1] >= _FACTOR * _SMALLEST:
        sizes.append(sizes[-1] // _FACTOR)
    return sizes[::-1]


def measure_compressor(compressor: Compressor, sizes: Sequence[int], device: torch.device) -> CompressorTimes:
    """Measure a compressor's operations on random vectors, after a pause each.

    An uncompressed message is received in place, so that its ``decompress`` only checks that all values are finite.
    """
    found: dict[str, list[tuple[int, float]]] = {"compress": [], "decompress": [], "accumulate": []}
    for numel in sizes:
        for name, operation in _operations(compressor, numel, device).items():
            found[name].append((numel, _median_seconds(operation, device)))
    lines: dict[str, Line] = {name: fit_line(points) for name, points in found.items()}
    return CompressorTimes(compressor=description(compressor), **lines)


def measure_copies(sizes: Sequence[int], device: torch.device) -> dict[str, Line]:
    """Return ``copy_to_host`` and ``copy_to_device``: seconds to copy float32 elements between the host and a GPU."""
    points: dict[str, list[tuple[int, float]]] = {"copy_to_host": [], "copy_to_device": []}
    for numel in sizes:
        on_host, on_gpu = torch.zeros(numel, pin_memory=True), torch.zeros(numel, device=device)
        points["copy_to_host"].append((numel, _median_seconds(partial(on_host.copy_, on_gpu), device)))
        points["copy_to_device"].append((numel, _median_seconds(partial(on_gpu.copy_, on_host), device)))
    return {name: fit_line(found) for name, found in points.items()}


def _operations(compressor: Compressor, numel: int, device: torch.device) -> dict[str, Callable[[], object]]:
    source = torch.randn(numel, generator=torch.Generator(device).manual_seed(0), device=device)
    out = torch.zeros(numel, device=device)
    is_exact = isinstance(compressor, Identity)
    keeps_residual = not isinstance(compressor, Identity | Votes | Majority)
    residual = torch.zeros(numel, device=device) if keeps_residual else None
    message = compressor.compress(source, residual)

    def decompress() -> Tensor:
        if not is_exact:
            compressor.decompress(message, out)
        return compressor.is_finite(message)

    return {
        "compress": lambda: compressor.compress(source, residual),
        "decompress": decompress,
        "accumulate": lambda: compressor.decompress(message, out, accumulate=True, weight=0.5),
    }


def _median_seconds(operation: Callable[[], object], device: torch.device) -> float:
    """Return the median seconds of an operation, at least one nanosecond."""
    clock, seconds = thread_clock(device), list[float]()
    operation()  # compiles kernels
    until = time.monotonic() + _MOST_SECONDS
    while len(seconds) < _FEWEST_REPEATS or (len(seconds) < _NUM_REPEATS and time.monotonic() < until):
        time.sleep(PAUSE_SECONDS)
        start = clock.timestamp()
        operation()
        clock.record(start, clock.timestamp(), lambda begin, end: seconds.append(end - begin))
        clock.synchronize()
    return max(1e-9, statistics.median(seconds))
