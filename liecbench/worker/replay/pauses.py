"""Sleeping in the place of computing, dilated, and so exact that many short pauses add up to their sum."""

import time
from typing import Final

# A shorter pause is owed until more has come together, because falling asleep and waking up takes some 20 µs.
_SHORTEST_SECONDS: Final = 30e-6


class Pauses:
    """Pauses of one rank's thread, in seconds of the emulated device, each ``dilation`` times as long in reality.

    A pause usually ends a little late. The lateness is deducted from the pauses that follow.

    Args:
        dilation: How many times slower than the emulated ranks this rank runs.
    """

    def __init__(self, dilation: float) -> None:
        self.dilation = dilation
        self._owed = 0.0

    def pause(self, seconds: float) -> None:
        """Sleep for ``seconds`` × dilation, or owe them to a later pause if they are few."""
        self._owed += seconds * self.dilation
        if self._owed > _SHORTEST_SECONDS:
            began = time.perf_counter()
            time.sleep(self._owed)
            self._owed -= time.perf_counter() - began

    def pause_until(self, moment: float) -> None:
        """Sleep until ``moment``, in real seconds of ``time.perf_counter``. If it has passed, return at once."""
        left = moment - time.perf_counter()
        if left > 0:
            # What was owed has passed within this pause.
            self._owed = 0.0
            time.sleep(left)
