"""Pauses in which a rank sleeps instead of computing.

A pause takes the computing time of the emulated device × dilation. If a pause ends late, later pauses are shorter.
"""

import time
from typing import Final

# A shorter pause is owed until more has come together, because falling asleep and waking up takes some 20 µs.
_SHORTEST_SECONDS: Final = 30e-6
# An idle processor, or one that serves real-time priority, ends a sleep sooner than this after its time: in 99 of 100
# cases on two cores that seven other processes used. With ordinary priority, some sleeps there ended 5 ms late.
_ORDINARY_SECONDS: Final = 0.5e-3


class Pauses:
    """Pauses in which one rank's thread sleeps instead of computing.

    Callers of ``pause`` give the seconds that the emulated device computes. The thread sleeps ``dilation`` times as
    long. A sleep usually ends a little late. ``pause`` deducts the lateness from the next pauses.

    Args:
        dilation: The factor by which the replay is slower than the emulated device.

    Attributes:
        late_seconds: The sum of the real seconds by which sleeps ended late. Only sleeps that ended over half a
            millisecond late count, because they waited for a processor.
    """

    def __init__(self, dilation: float) -> None:
        self.dilation = dilation
        self.late_seconds = 0.0
        self._owed = 0.0

    def pause(self, seconds: float) -> None:
        """Sleep for ``seconds`` × dilation, less the lateness of earlier sleeps.

        If at most 30 µs remain to sleep, return at once, and add the remainder to the next pause.
        """
        self._owed += seconds * self.dilation
        if self._owed > _SHORTEST_SECONDS:
            self._owed = -self._sleep(self._owed)

    def pause_until(self, moment: float) -> None:
        """Sleep until ``moment``, in real seconds of ``time.perf_counter``. If it has passed, return at once."""
        left = moment - time.perf_counter()
        if left > 0:
            # What was owed has passed within this pause.
            self._owed = 0.0
            self._sleep(left)

    def _sleep(self, seconds: float) -> float:
        """Sleep, and return by how many seconds the sleep ended late."""
        began = time.perf_counter()
        time.sleep(seconds)
        late = time.perf_counter() - began - seconds
        if late > _ORDINARY_SECONDS:
            self.late_seconds += late
        return late
