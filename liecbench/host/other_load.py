"""The processor time that processes other than this one use."""

import psutil

from liecbench.host.cpu_load import CpuLoad


class OtherLoad:
    """A measurement of the share of the processors that other processes use, from the creation of this object on."""

    def __init__(self) -> None:
        self._load, self._own = CpuLoad.now(), _own_seconds()

    def share(self) -> float:
        """Return the share of processor time, from 0 to 1, that others have used since this object was created.

        Others are other processes and other virtual machines.
        """
        used, total = CpuLoad.now().cpu_seconds(self._load)
        return max(0.0, used - (_own_seconds() - self._own)) / total if total > 0 else 0.0


def _own_seconds() -> float:
    times = psutil.Process().cpu_times()
    return times.user + times.system + times.children_user + times.children_system
