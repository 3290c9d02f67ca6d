"""The benchmark ``liecbench bench compressors``: time each operation of each compressor, and a copy of the vector.

On the CPU, one thread is used. Every operation's time is compared with the time of the copy, which is called the limit.
An operation that reads and writes fewer bytes than the copy can be faster.
"""

import statistics
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from liecbench.bench.benchmark_result import BenchmarkResult, BenchmarkRow
from liecbench.compressors.base import Compressor
from liecbench.config import registry
from liecbench.host.machine import check_memory

_MOST_REPEATS, _FEWEST_REPEATS = 21, 5
_ROW_SECONDS = 2.0
_NUM_ADDED = 8
_LEGEND = (
    "limit: copying the vector; compress: the residual overwrites the vector; compress_apart: it is separate; "
    f"sum_messages: the sum of {_NUM_ADDED} messages"
)
# Four float32 vectors (16 bytes), and the most that a built-in compressor needs for a partial sort, or for 8 messages
# of 16 bits per element.
_BYTES_PER_ELEMENT = 40
# Larger than the cache of any GPU.
_FLUSH_BYTES = 2**30
_MOST_READS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operation:
    """An operation to time, and a preparation that runs before each repeat and is not timed."""

    name: str
    action: Callable[[], object]
    prepare: Callable[[], object] = lambda: None


# Runs an operation once and returns its seconds.
_Stopwatch = Callable[[], float]
_StopwatchFactory = Callable[[_Operation], _Stopwatch]


class _Vectors:
    """The input vector of the compressors, and buffers for results.

    The constructor fills the buffers, so that no timed operation is the first to touch their memory.
    """

    def __init__(self, size: int, device: torch.device) -> None:
        self.source = torch.randn(size, generator=torch.Generator(device).manual_seed(0), device=device)
        self.changed, self.other, self._copied = (self.source.clone() for _ in range(3))

    def restore(self) -> None:
        """Restore ``changed`` to the source vector, after an operation has overwritten it."""
        self.changed.copy_(self.source)

    def copy(self) -> Tensor:
        """Copy the input vector to a buffer, and return the buffer."""
        # The copy reads and writes every element once; its time is the limit with which operations are compared.
        return self._copied.copy_(self.source)


def measure(size: int, say: Callable[[str], None], device: torch.device) -> BenchmarkResult:
    """Time every registered compressor with its default options.

    Args:
        size: The length of the vector, which is drawn from a standard normal distribution.
        say: Prints a line of progress before each compressor.
        device: The device of the vector: a GPU, or the CPU, on which one thread is used.

    Returns:
        One row per compressor and operation, and a line for every compressor that failed.

    Raises:
        MachineError: If the memory of the machine or the GPU does not suffice.
    """
    _check_memory(size, device)
    rows: list[BenchmarkRow] = []
    failures: list[str] = []
    names = registry.names("compressor")
    with _one_thread():
        vectors, stopwatch_for = _Vectors(size, device), _stopwatch_factory(device)
        for number, name in enumerate(names, start=1):
            say(f"{name} ({number}/{len(names)})")
            try:
                rows += _rows(name, vectors, stopwatch_for)
            except Exception as error:  # third-party code may raise anything
                failures.append(_failure(name, error))
    return BenchmarkResult(rows=tuple(rows), legend=_LEGEND, failures=tuple(failures))


def _check_memory(size: int, device: torch.device) -> None:
    needed_bytes, gpu_bytes = size * _BYTES_PER_ELEMENT, None
    if device.type == "cuda":
        needed_bytes += _FLUSH_BYTES
        gpu_bytes, _ = torch.cuda.mem_get_info(device)
    check_memory(f"--size {size}", needed_bytes, "give a smaller --size", gpu_bytes=gpu_bytes)


def _rows(name: str, vectors: _Vectors, stopwatch_for: _StopwatchFactory) -> list[BenchmarkRow]:
    options = registry.resolve("compressor", name, {})
    compressor: Compressor = registry.load("compressor", name)(**options)
    size = vectors.source.numel()
    bits_per_parameter = 8 * compressor.compress(vectors.source).payload_bytes / size
    rows = []
    for operation in _operations(compressor, vectors):
        operation.action()  # touches memory and compiles kernels
        limit = _Operation(name="limit", action=vectors.copy)
        seconds, limit_seconds = _medians(stopwatch_for(operation), stopwatch_for(limit))
        rows.append(
            BenchmarkRow(
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
    messages = [message, *(compressor.compress(source) for _ in range(_NUM_ADDED - 1))]
    yield _Operation(name="sum_messages", action=lambda: compressor.sum_messages(messages, other))


def _medians(stopwatch: _Stopwatch, limit: _Stopwatch) -> tuple[float, float]:
    """Return (median seconds of an operation, median seconds of copying the vector).

    ``stopwatch`` times the operation, and ``limit`` times the copying. Both are called in turns, so that noise affects
    both alike.
    """
    seconds: list[float] = []
    limit_seconds: list[float] = []
    end = time.perf_counter() + _ROW_SECONDS
    while len(seconds) < _FEWEST_REPEATS or (len(seconds) < _MOST_REPEATS and time.perf_counter() < end):
        limit_seconds.append(limit())
        seconds.append(stopwatch())
    return statistics.median(seconds), statistics.median(limit_seconds)


def _stopwatch_factory(device: torch.device) -> _StopwatchFactory:
    """Return a function that maps an operation to its stopwatch.

    A stopwatch is a function that runs its operation on ``device``, and returns the seconds of one run.
    """
    if device.type == "cpu":
        return lambda operation: lambda: _seconds_on_cpu(operation)
    # Read the buffer, but do not write it: the GPU would write dirty lines of its cache back during the operation.
    flushed = torch.zeros(_FLUSH_BYTES // 4, device=device)
    return lambda operation: _GpuStopwatch(operation, flushed.sum)


def _seconds_on_cpu(operation: _Operation) -> float:
    operation.prepare()
    start = time.perf_counter()
    operation.action()
    return time.perf_counter() - start


class _GpuStopwatch:
    """A stopwatch for an operation on a GPU. It measures the GPU's time without the time of launching kernels.

    Before the operation, the GPU reads a large buffer several times. The reads evict all vectors from its cache, and
    keep the GPU busy until the host has launched the operation's kernels. If the reads end too early, the operation is
    timed again after twice as many reads, up to ``_MOST_READS``.
    """

    def __init__(self, operation: _Operation, read: Callable[[], object]) -> None:
        self._operation, self._read, self._num_reads = operation, read, 1

    def __call__(self) -> float:
        while True:
            seconds, ahead = self._once()
            # An operation that waits for the GPU cannot be launched ahead: its time is accepted in the end.
            if ahead or self._num_reads >= _MOST_READS:
                return seconds
            self._num_reads *= 2

    def _once(self) -> tuple[float, bool]:
        """Run the operation. Return its seconds, and True if the host launched all kernels before the GPU began."""
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        self._operation.prepare()
        for _ in range(self._num_reads):
            self._read()
        start.record()
        self._operation.action()
        end.record()
        ahead = not start.query()
        end.synchronize()
        return start.elapsed_time(end) / 1e3, ahead


def _failure(name: str, error: Exception) -> str:
    cls = registry.load("compressor", name)
    where = f"compressor {name!r} ({cls.__module__}.{cls.__qualname__})"
    if isinstance(error, registry.OptionError):
        return f"{where} cannot be made with its defaults: {error.option}: {error}; give the option a default"
    what = traceback.format_exception_only(error)[-1].strip()
    return f"{where} failed: {what}; fix or uninstall its package"


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
