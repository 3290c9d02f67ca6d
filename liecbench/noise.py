"""What else the machine did while a pair was measured."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_STEAL_FIELD = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Counters of the kernel's: ticks of all processors, those that a hypervisor took, microseconds of pressure."""

    at_seconds: float
    ticks: int
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
            stolen_ticks=fields[_STEAL_FIELD - 1],
            waiting_microseconds=waiting,
        )

    def since(self, before: Self) -> dict[str, float]:
        """Shares of the time in between: stolen, and in which some task waited for a processor (pressure)."""
        shares = {"steal": (self.stolen_ticks - before.stolen_ticks) / max(self.ticks - before.ticks, 1)}
        if self.waiting_microseconds is not None and before.waiting_microseconds is not None:
            seconds = self.at_seconds - before.at_seconds
            shares["pressure"] = (self.waiting_microseconds - before.waiting_microseconds) / 1e6 / seconds
        return shares
