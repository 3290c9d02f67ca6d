"""A process that samples a machine's GPUs while its ranks train: ``python -P -m liecbench.host.gpu_sampler UUID…``.

The UUIDs name the GPUs to sample. Each line that the process prints is JSON. The first line is null when the process is
ready. Otherwise it is NVML's error message, and the process exits. The line ``begin`` on standard input starts a
window. The line ``end`` ends the window, and the process prints one object with the window's figures. End of file on
standard input ends the process. Each figure combines all the GPUs:

- ``utilisation``: mean share of time in which a kernel ran
- ``sm_clock_hertz``: mean clock of the streaming multiprocessors
- ``peak_memory_bytes``: largest memory in use on one GPU, by all processes
- ``energy_joules``: from the GPU's energy counter; without a counter, ``power_watts`` × the window's seconds
- ``power_watts``: ``energy_joules`` ÷ the window's seconds; without an energy counter, the mean of power samples
- ``pcie_sent_bytes`` (leaving the GPU) and ``pcie_received_bytes``: from the GPU's counters; without counters, the mean
  of rate samples × the window's seconds
- ``nvlink_sent_bytes``, ``nvlink_received_bytes``: payload on all NVLinks
- ``throttled_share``: share of samples in which the clocks were lowered, other than by idleness or by a clock that
  applications set
- ``throttled_<reason>_share``: share of samples in which this reason lowered the clocks

A figure that one of the GPUs does not support is left out.
"""

import contextlib
import json
import math
import os
import select
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from liecbench.host.gpu import answer, full_uuid, nvml
from liecbench.host.linux import die_with_parent

SAMPLE_SECONDS: Final = 0.1
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
_SUMMED: Final = ("_bytes", "_joules", "_watts")


class Count(NamedTuple):
    """One reading of a counter.

    Attributes:
        value: The counter's value.
        bits: Width of the counter, which wraps around at 2^bits.
        unit: Bytes or joules per count.
    """

    value: int
    bits: int
    unit: float


class Window:
    """The figures of one GPU in a window of time, which begins when this object is created.

    The clock is read after the counters, because reading the counters takes time.

    Args:
        handle: NVML's handle of the GPU.
        clock: Returns the time in seconds.
    """

    def __init__(self, handle: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._handle, self._clock = handle, clock
        self._last = dict(_counts(handle))
        self._started = clock()
        self._totals = dict.fromkeys(self._last, 0.0)
        self._rated = {name: rate for name, rate in _PCIE_RATES.items() if name not in self._last}
        self._samples: dict[str, list[float]] = {}

    def sample(self) -> None:
        """Read all counters, gauges and sampled rates of the GPU once."""
        self._count()
        for name, value in _gauges(self._handle):
            self._samples.setdefault(name, []).append(value)
        for name, number in self._rated.items():
            if (rate := self._pcie_rate(number)) is not None:
                self._samples.setdefault(name, []).append(rate)

    def end(self) -> dict[str, float]:
        """Return the figures of the window from its start until now, by name."""
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
        """Add each counter's growth to its total. Drop the total of a counter that is missing or was reset."""
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
        """Return the rate of NVML's PCIe counter ``number``, sent or received, in bytes per second.

        None if the GPU does not report it. The call blocks for 20 ms.
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
    """Yield ``throttled_share``, and the share of each reason that occurs. A sample has one bit per reason."""
    yield "throttled_share", sum(any(sample & bit for bit in REASONS) for sample in samples) / len(samples)
    for bit, reason in REASONS.items():
        if count := sum(bool(sample & bit) for sample in samples):
            yield f"throttled_{reason}_share", count / len(samples)


def combined(parts: Sequence[dict[str, float] | None]) -> dict[str, float] | None:
    """Combine the figures of several GPUs or machines. Return None if there are no parts or a part is None.

    Bytes, joules and watts are added up. Peak memory is the maximum. Shares and clocks are means over the parts. A
    figure that a part lacks is left out, with one exception: ``throttled_<reason>_share`` counts as 0 in a part that
    lacks it but has ``throttled_share``.
    """
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    figures = {}
    for name in dict.fromkeys(name for part in known for name in part):
        values = [_value(part, name) for part in known]
        given = [value for value in values if value is not None]
        if len(given) < len(values):
            continue
        if name.startswith("peak_"):
            figures[name] = max(given)
        else:
            figures[name] = math.fsum(given) if name.endswith(_SUMMED) else statistics.fmean(given)
    return figures


def _value(part: dict[str, float], name: str) -> float | None:
    no_reason = 0.0 if name.startswith("throttled_") and "throttled_share" in part else None
    return part.get(name, no_reason)


def serve(handles: Sequence[Any]) -> None:
    """Read lines from standard input until end of file: ``begin`` starts a window on every GPU, ``end`` ends it.

    Sample all GPUs every ``SAMPLE_SECONDS`` during a window, and print the window's figures at its end. ``handles`` are
    NVML's handles of the GPUs.
    """
    windows: list[Window] = []
    due = math.inf
    unread = b""
    while True:
        left = None if due == math.inf else max(0.0, due - time.monotonic())
        if not select.select([0], [], [], left)[0]:
            for window in windows:
                window.sample()
            due += SAMPLE_SECONDS * (1 + (time.monotonic() - due) // SAMPLE_SECONDS)
            continue
        if not (read := os.read(0, 4096)):
            return
        *orders, unread = (unread + read).split(b"\n")
        for order in orders:
            if order == b"begin":
                windows = [Window(handle) for handle in handles]
                due = time.monotonic() + SAMPLE_SECONDS
            elif order == b"end":
                figures = combined([window.end() for window in windows])
                windows, due = [], math.inf
                _say(figures)


def _say(content: dict[str, float] | str | None) -> None:
    print(json.dumps(content), flush=True)


def main(uuids: Sequence[str]) -> None:
    """Sample the GPUs with these UUIDs, with or without the prefix ``GPU-``, until standard input ends."""
    import pynvml

    die_with_parent()
    with contextlib.suppress(BrokenPipeError):
        try:
            with nvml():
                handles = [pynvml.nvmlDeviceGetHandleByUUID(uuid) for uuid in dict.fromkeys(map(full_uuid, uuids))]
                _say(None)
                serve(handles)
        except pynvml.NVMLError as error:
            _say(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
