import os
import threading

import pytest

from liecbench.host.punctuality import punctual


def may_schedule_in_real_time() -> bool:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


def test_all_threads_run_first_until_the_end_even_after_an_error() -> None:
    expected = os.SCHED_FIFO if may_schedule_in_real_time() else os.SCHED_OTHER
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    seen = list[int]()

    def look() -> None:
        assert other.native_id is not None
        seen.extend((os.sched_getscheduler(0), os.sched_getscheduler(other.native_id)))

    def look_and_fail() -> None:
        with punctual():
            look()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        look_and_fail()
    look()
    done.set()
    other.join()

    assert seen == [expected, expected, os.SCHED_OTHER, os.SCHED_OTHER]
