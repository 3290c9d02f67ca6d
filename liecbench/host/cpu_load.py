"""The load of this machine's processors while something is measured."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuLoad:
    """The kernel's counters since boot, in seconds summed over all processors.

    Attributes:
        at_seconds: When they were read, on this process's clock.
        total_seconds: Processor time, idle or not.
        idle_seconds: Of it, idle or waiting for disks.
        stolen_seconds: Of it, taken by the hypervisor for other machines.
        waiting_seconds: Time in which some task waited for a processor; None if the kernel has no pressure counters.
    """

    at_seconds: float
    total_seconds: float
    idle_seconds: float
    stolen_seconds: float
    waiting_seconds: float | None

    @classmethod
    def now(cls) -> Self:
        """Read the counters."""
        times = psutil.cpu_times()
        busy = times.user + times.nice + times.system + times.irq + times.softirq + times.steal
        idle = times.idle + times.iowait
        return cls(
            at_seconds=time.perf_counter(),
            total_seconds=busy + idle,
            idle_seconds=idle,
            stolen_seconds=times.steal,
            waiting_seconds=_waiting_seconds(),
        )

    def cpu_seconds(self, before: Self) -> tuple[float, float]:
        """Return how long all processors together have worked since ``before``, and how long they could have."""
        total = self.total_seconds - before.total_seconds
        return total - (self.idle_seconds - before.idle_seconds), total

    def since(self, before: Self) -> dict[str, float]:
        """Return shares of the time since ``before``: ``steal``, and ``pressure`` in which some task had to wait."""
        total = self.total_seconds - before.total_seconds
        shares = {"steal": (self.stolen_seconds - before.stolen_seconds) / total if total > 0 else 0.0}
        if self.waiting_seconds is not None and before.waiting_seconds is not None:
            shares["pressure"] = (self.waiting_seconds - before.waiting_seconds) / (self.at_seconds - before.at_seconds)
        return shares


def _waiting_seconds() -> float | None:
    """Read the kernel's own counter: psutil has none of pressure."""
    try:
        text = Path("/proc/pressure/cpu").read_text()
        return int(text.split("\n", 1)[0].rpartition("total=")[2]) / 1e6
    except (OSError, ValueError):
        return None
