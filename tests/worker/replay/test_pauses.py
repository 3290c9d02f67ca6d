import sys
import threading
import time

from liecbench.worker.replay.pauses import Pauses


def test_sleeps_that_wait_for_a_processor_are_late() -> None:
    pauses = Pauses(dilation=1.0)
    # This thread does not give way, as a process with another priority would not. The sleep is long, because a busy
    # machine may wake this thread some milliseconds after it has started the sleeper.
    before = sys.getswitchinterval()
    sleeper = threading.Thread(target=pauses.pause, args=(0.05,))
    sys.setswitchinterval(10.0)
    try:
        sleeper.start()
        until = time.perf_counter() + 0.2
        while time.perf_counter() < until:
            pass
    finally:
        sys.setswitchinterval(before)
    sleeper.join()

    assert pauses.late_seconds > 0.5e-3
