import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from liecbench.algorithms.comm.lane import Lane
from liecbench.algorithms.comm.worker_thread import CommunicationThread
from tests.waiting import wait_for


class Written(Lane):
    """A lane that writes down what happens."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def enter(self) -> None:
        self.thread = threading.current_thread().name

    def ready(self) -> str:
        self.told.append("ready")
        return f"after {len(self.told)}"

    @contextmanager
    def after(self, ready: str) -> Iterator[None]:
        self.told.append(ready)
        yield
        self.told.append("over")

    def join(self) -> None:
        self.told.append("join")


def test_a_job_runs_behind_what_was_given_out_before_and_the_caller_goes_on_behind_it() -> None:
    lane = Written()
    thread = CommunicationThread(lane)

    thread.run(lambda: lane.told.append("job"))

    thread.close()
    # Whether the job's end or the caller's join is noted first, nobody says.
    assert (lane.told[:3], set(lane.told[3:])) == (["ready", "after 1", "job"], {"over", "join"})


def test_its_thread_works_on_the_lane() -> None:
    lane = Written()
    thread = CommunicationThread(lane)
    thread.run(lambda: None)
    thread.close()

    assert lane.thread == "liecbench-communication"


def test_what_a_job_raises_comes_to_the_caller() -> None:
    thread = CommunicationThread(Lane())

    with pytest.raises(ZeroDivisionError):
        thread.run(lambda: 1 // 0)
    thread.close()


def test_a_thread_that_waits_keeps_nothing_alive() -> None:
    class Held:
        def job(self) -> None: ...

    held, thread = Held(), CommunicationThread(Lane())
    gone = weakref.ref(held)
    thread.run(held.job)
    del held

    wait_for(lambda: gone() is None, "the job is forgotten")
    thread.close()
