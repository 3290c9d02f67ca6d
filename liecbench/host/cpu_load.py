"""The load of this machine's processors during a measurement."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuLoad:
    """The kernel's counters of processor time since boot, read at one moment.

    Attributes:
        at_seconds: The moment, in seconds of ``time.perf_counter``.
        total_seconds: Processor time, busy and idle, summed over all processors.
        idle_seconds: Part of ``total_seconds`` in which processors were idle or waited for disks.
        interrupt_seconds: Part of ``total_seconds`` in which the kernel served interrupts, most of them for the ranks'
            own traffic.
        stolen_seconds: Part of ``total_seconds`` that the hypervisor gave to other virtual machines.
        waiting_seconds: Wall-clock time in which at least one task waited for a processor. None if the kernel has no
            pressure counters.
    """

    at_seconds: float
    total_seconds: float
    idle_seconds: float
    interrupt_seconds: float
    stolen_seconds: float
    waiting_seconds: float | None

    @classmethod
    def now(cls) -> Self:
        """Return the machine's CPU time counters as they are now."""
        times = psutil.cpu_times()
        busy = times.user + times.nice + times.system + times.irq + times.softirq + times.steal
        idle = times.idle + times.iowait
        return cls(
            at_seconds=time.perf_counter(),
            total_seconds=busy + idle,
            idle_seconds=idle,
            interrupt_seconds=times.irq + times.softirq,
            stolen_seconds=times.steal,
            waiting_seconds=_waiting_seconds(),
        )

    def cpu_seconds(self, before: Self) -> tuple[float, float]:
        """Return (used, total) processor seconds since the reading ``before``, each summed over all processors.

        ``used`` is the time of processes and of other virtual machines. ``total`` also includes idle time and
        interrupts.
        """
        total = self.total_seconds - before.total_seconds
        unused = self.idle_seconds - before.idle_seconds + self.interrupt_seconds - before.interrupt_seconds
        return total - unused, total

    def since(self, before: Self) -> dict[str, float]:
        """Return how much processor time was lacking since the reading ``before``, as shares from 0 to 1.

        Returns:
            ``"steal"``: share of processor time that the hypervisor gave to other virtual machines.
            ``"pressure"``, only if the kernel has pressure counters: share of wall-clock time in which at least one
            task waited for a processor.
        """
        total = self.total_seconds - before.total_seconds
        shares = {"steal": (self.stolen_seconds - before.stolen_seconds) / total if total > 0 else 0.0}
        if self.waiting_seconds is not None and before.waiting_seconds is not None:
            shares["pressure"] = (self.waiting_seconds - before.waiting_seconds) / (self.at_seconds - before.at_seconds)
        return shares


def _waiting_seconds() -> float | None:
    """Return the seconds since boot in which at least one task waited for a processor; None if they are not counted."""
    try:
        text = Path("/proc/pressure/cpu").read_text()
        return int(text.split("\n", 1)[0].rpartition("total=")[2]) / 1e6
    except (OSError, ValueError):
        return None
