"""What else the machine did while a pair was measured."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_IDLE_FIELDS, _STEAL_FIELD = slice(3, 5), 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Counters of the kernel's: ticks of all processors, idle and stolen ones among them, microseconds of pressure."""

    at_seconds: float
    ticks: int
    idle_ticks: int
    stolen_ticks: int
    waiting_microseconds: int | None

    @classmethod
    def now(cls) -> Self:
        """As they stand."""
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
        pressure = Path("/proc/pressure/cpu")
        try:
            waiting = int(pressure.read_text().split("\n", 1)[0].rpartition("total=")[2])
        except (OSError, ValueError):
            waiting = None
        return cls(
            at_seconds=time.perf_counter(),
            ticks=sum(fields[:_STEAL_FIELD]),
            idle_ticks=sum(fields[_IDLE_FIELDS]),
            stolen_ticks=fields[_STEAL_FIELD - 1],
            waiting_microseconds=waiting,
        )

    def cpu_seconds(self, before: Self) -> tuple[float, float]:
        """What all processors together did in between, and could have done."""
        ticks, idle = self.ticks - before.ticks, self.idle_ticks - before.idle_ticks
        per_second = os.sysconf("SC_CLK_TCK")
        return (ticks - idle) / per_second, ticks / per_second

    def since(self, before: Self) -> dict[str, float]:
        """Shares of the time in between: stolen, and in which some task waited for a processor (pressure)."""
        shares = {"steal": (self.stolen_ticks - before.stolen_ticks) / max(self.ticks - before.ticks, 1)}
        if self.waiting_microseconds is not None and before.waiting_microseconds is not None:
            seconds = self.at_seconds - before.at_seconds
            shares["pressure"] = (self.waiting_microseconds - before.waiting_microseconds) / 1e6 / seconds
        return shares
