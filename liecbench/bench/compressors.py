"""Compressors on one thread or on a GPU, each operation against a copy of its vector."""

import statistics
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from liecbench import catalog
from liecbench.algorithms.clock import clock_of
from liecbench.bench.row import Findings, Row
from liecbench.compressors.base import Compressor
from liecbench.machine import check_memory

_MOST_REPEATS, _FEWEST_REPEATS = 21, 5
_ROW_SECONDS = 2.0
_LEGEND = "limit: copying the vector; compress: residual in the vector's place; compress_apart: beside it"
# Four vectors here, one in the message, and what the greediest built-in, a partial sort, needs beside it.
_BYTES_PER_ELEMENT = 40
# More than a GPU keeps in its cache, and enough to write that the host has given out what is timed before it begins.
_FLUSH_BYTES = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operation:
    """What is timed, and what is done untimed before each repeat."""

    name: str
    action: Callable[[], object]
    prepare: Callable[[], object] = lambda: None


_Timer = Callable[[Callable[[], object]], float]


class _Vectors:
    """The input and room for results, all of it touched before anything is timed."""

    def __init__(self, size: int, device: torch.device) -> None:
        self.source = torch.randn(size, generator=torch.Generator(device).manual_seed(0), device=device)
        self.changed, self.other, self._copied = (self.source.clone() for _ in range(3))

    def restore(self) -> None:
        """Undo what an operation in place did to ``changed``."""
        self.changed.copy_(self.source)

    def copy(self) -> Tensor:
        """The physical limit: every element read once and written once."""
        return self._copied.copy_(self.source)


def measure(size: int, say: Callable[[str], None], device: torch.device) -> Findings:
    """Every compressor of the catalog with its defaults, on ``size`` float32 elements of a standard normal."""
    if device.type == "cpu":
        check_memory(f"--size {size}", size * _BYTES_PER_ELEMENT, "give a smaller --size")
    rows: list[Row] = []
    failures: list[str] = []
    names = catalog.names("compressor")
    with _one_thread():
        vectors, timed = _Vectors(size, device), _timer(device)
        for number, name in enumerate(names, start=1):
            say(f"{name} ({number}/{len(names)})")
            try:
                rows += _rows(name, vectors, timed)
            except Exception as error:  # anyone's code
                failures.append(_failure(name, error))
    return Findings(rows=tuple(rows), legend=_LEGEND, failures=tuple(failures))


def _rows(name: str, vectors: _Vectors, timed: _Timer) -> list[Row]:
    options = catalog.resolve("compressor", name, {})
    compressor: Compressor = catalog.load("compressor", name)(**options)
    size = vectors.source.numel()
    bits_per_parameter = 8 * compressor.compress(vectors.source).payload_bytes / size
    rows = []
    for operation in _operations(compressor, vectors):
        seconds, limit_seconds = _medians(operation, vectors.copy, timed)
        rows.append(
            Row(
                name=name,
                operation=operation.name,
                size=size,
                seconds=seconds,
                limit_seconds=limit_seconds,
                bits_per_parameter=bits_per_parameter,
            )
        )
    return rows


def _operations(compressor: Compressor, vectors: _Vectors) -> Iterator[_Operation]:
    source, changed, other = vectors.source, vectors.changed, vectors.other
    yield _Operation(name="compress", action=lambda: compressor.compress(changed, changed), prepare=vectors.restore)
    yield _Operation(name="compress_apart", action=lambda: compressor.compress(source, other))
    message = compressor.compress(source)
    yield _Operation(name="decompress", action=lambda: compressor.decompress(message, other))
    yield _Operation(
        name="decompress_accumulate", action=lambda: compressor.decompress(message, other, accumulate=True)
    )


def _medians(operation: _Operation, limit: Callable[[], object], timed: _Timer) -> tuple[float, float]:
    """Median seconds of an operation and of its limit, taken in turn: noise falls on both."""
    operation.action()  # memory is touched and kernels are compiled
    seconds: list[float] = []
    limit_seconds: list[float] = []
    end = time.perf_counter() + _ROW_SECONDS
    while len(seconds) < _FEWEST_REPEATS or (len(seconds) < _MOST_REPEATS and time.perf_counter() < end):
        limit_seconds.append(timed(limit))
        operation.prepare()
        seconds.append(timed(operation.action))
    return statistics.median(seconds), statistics.median(limit_seconds)


def _timer(device: torch.device) -> _Timer:
    """Seconds of an action by the clock of ``device``; a GPU's cache holds nothing of its vectors."""
    clock = clock_of(device)
    flushed = torch.empty(_FLUSH_BYTES if device.type == "cuda" else 0, dtype=torch.uint8, device=device)

    def timed(action: Callable[[], object]) -> float:
        seconds: list[float] = []
        flushed.zero_()
        start = clock.mark()
        action()
        clock.spend(start, clock.mark(), lambda begun, ended: seconds.append(ended - begun))
        clock.settle()
        return seconds[0]

    return timed


def _failure(name: str, error: Exception) -> str:
    cls = catalog.load("compressor", name)
    where = f"compressor {name!r} ({cls.__module__}.{cls.__qualname__})"
    if isinstance(error, catalog.OptionError):
        return f"{where} cannot be made with its defaults: {error.option}: {error}; give the option a default"
    what = traceback.format_exception_only(error)[-1].strip()
    return f"{where} failed: {what}; mend or uninstall its package"


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
