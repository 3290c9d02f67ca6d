"""The figures of one GPU in a window of time, from NVML; ``gpu_sampler`` describes each figure."""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from liecbench.host.gpu import answer

REASONS: Final = {
    0x004: "power_cap",
    0x008: "hw_slowdown",
    0x010: "sync_boost",
    0x020: "sw_thermal",
    0x040: "hw_thermal",
    0x080: "hw_power_brake",
    0x100: "display_clock",
    0x200: "board_limit",
    0x400: "reliability",
}
_ALL_LINKS: Final = 0xFFFF_FFFF
# NVML's fields as ((number, scope), bytes per count). Fields are given by number, because older Python bindings lack
# the names.
_FIELDS: Final = {
    "pcie_sent_bytes": ((197, 0), 1),
    "pcie_received_bytes": ((198, 0), 1),
    "nvlink_sent_bytes": ((138, _ALL_LINKS), 1024),
    "nvlink_received_bytes": ((139, _ALL_LINKS), 1024),
}
_PCIE_RATES: Final = {"pcie_sent_bytes": 0, "pcie_received_bytes": 1}
_VALUES: Final = {1: ("uiVal", 32), 2: ("ulVal", 64), 3: ("ullVal", 64), 4: ("sllVal", 64), 5: ("siVal", 32)}


class Count(NamedTuple):
    """One reading of a GPU's counter, such as the energy counter.

    Attributes:
        value: The number of counts that the counter shows.
        bits: Width of the counter, which wraps around at 2^bits.
        unit: Joules per count of an energy counter; bytes per count of any other counter.
    """

    value: int
    bits: int
    unit: float


class Window:
    """A measurement of one GPU's energy, memory, throttling and other figures over a window of time.

    The window begins when this object is created, and ends when ``end`` is called.

    Args:
        handle: NVML's handle of the GPU.
        clock: Returns the time in seconds.
    """

    def __init__(self, handle: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._handle, self._clock = handle, clock
        # Here and in ``_count``, the clock is read after the counters, because reading the counters takes time.
        self._last = dict(_counts(handle))
        self._started = clock()
        self._totals = dict.fromkeys(self._last, 0.0)
        self._rated = {name: rate for name, rate in _PCIE_RATES.items() if name not in self._last}
        self._samples: dict[str, list[float]] = {}

    def sample(self) -> None:
        """Take one sample of the GPU, from which ``end`` computes its measurements.

        A sample consists of current values, such as the utilisation, and of the counters' increases. Call at regular
        intervals, because most measurements of current values are means over all samples.
        """
        self._count()
        for name, value in _gauges(self._handle):
            self._samples.setdefault(name, []).append(value)
        for name, number in self._rated.items():
            if (rate := self._pcie_rate(number)) is not None:
                self._samples.setdefault(name, []).append(rate)

    def end(self) -> dict[str, float]:
        """Return the GPU's measurements from the window's start until now, by name, such as ``energy_joules``."""
        if self._samples:
            self._count()
        else:
            self.sample()
        seconds, samples = self._counted - self._started, dict(self._samples)
        reasons = samples.pop("reasons", None)
        figures = dict(self._totals)
        for name in self._rated:
            if rates := samples.pop(name, None):
                figures[name] = statistics.fmean(rates) * seconds
        watts = samples.pop("power_watts", None)
        if "energy_joules" in figures:
            figures["power_watts"] = figures["energy_joules"] / seconds
        elif watts:
            figures["power_watts"] = statistics.fmean(watts)
            figures["energy_joules"] = figures["power_watts"] * seconds
        if memory := samples.pop("peak_memory_bytes", None):
            figures["peak_memory_bytes"] = max(memory)
        means = {name: statistics.fmean(values) for name, values in samples.items()}
        return {**figures, **means, **(dict(_throttled(list(map(int, reasons)))) if reasons else {})}

    def _count(self) -> None:
        """Add each counter's increase since the last reading to the counter's total.

        If a counter is missing, or if a 64-bit counter was reset, drop the counter's total.
        """
        now = dict(_counts(self._handle))
        self._counted = self._clock()
        for name in list(self._totals):
            went_up = (now[name].value - self._last[name].value) % 2 ** now[name].bits if name in now else math.inf
            if went_up >= 2**63:
                del self._totals[name]
            else:
                self._totals[name] += went_up * now[name].unit
        self._last = now

    def _pcie_rate(self, number: int) -> float | None:
        """Return the bytes per second that the GPU sends over PCIe if ``number`` is 0, or receives if it is 1.

        Return None if the GPU does not report the rate. The call blocks for 20 ms.
        """
        import pynvml

        rate = answer(pynvml.nvmlDeviceGetPcieThroughput, self._handle, number)
        return None if rate is None else rate * 1e3


def _counts(handle: Any) -> Iterator[tuple[str, Count]]:
    import pynvml

    energy = answer(pynvml.nvmlDeviceGetTotalEnergyConsumption, handle)
    if energy is not None:
        yield "energy_joules", Count(energy, 64, 1e-3)
    fields = answer(pynvml.nvmlDeviceGetFieldValues, handle, [field for field, _ in _FIELDS.values()])
    for (name, (_, unit)), field in zip(_FIELDS.items(), fields or (), strict=False):
        if field.nvmlReturn == 0 and field.valueType in _VALUES:
            member, bits = _VALUES[field.valueType]
            yield name, Count(getattr(field.value, member), bits, unit)


def _gauges(handle: Any) -> Iterator[tuple[str, float]]:
    import pynvml

    rates = answer(pynvml.nvmlDeviceGetUtilizationRates, handle)
    if rates is not None:
        yield "utilisation", rates.gpu / 100
    memory = answer(pynvml.nvmlDeviceGetMemoryInfo, handle)
    if memory is not None:
        yield "peak_memory_bytes", memory.used
    milliwatts = answer(pynvml.nvmlDeviceGetPowerUsage, handle)
    if milliwatts is not None:
        yield "power_watts", milliwatts / 1e3
    megahertz = answer(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM)
    if megahertz is not None:
        yield "sm_clock_hertz", megahertz * 1e6
    reasons = answer(pynvml.nvmlDeviceGetCurrentClocksEventReasons, handle)
    if reasons is None:  # drivers before 535 know this function only by its older name
        reasons = answer(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle)
    if reasons is not None:
        yield "reasons", reasons


def _throttled(samples: Sequence[int]) -> Iterator[tuple[str, float]]:
    """Yield the name and the value of each throttling metric: a share of the samples, from 0 to 1.

    ``throttled_share`` is the share in which the GPU was throttled for any of the ``REASONS``. For each reason that
    occurs, a metric such as ``throttled_power_cap_share`` follows. A sample is a bit mask of reasons.
    """
    yield "throttled_share", sum(any(sample & bit for bit in REASONS) for sample in samples) / len(samples)
    for bit, reason in REASONS.items():
        if count := sum(bool(sample & bit) for sample in samples):
            yield f"throttled_{reason}_share", count / len(samples)
