import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from liecbench.algorithms.comm.worker_thread import CommunicationThread, HostStream
from tests.waiting import wait_for


class RecordingStream(HostStream):
    """A stream that records its calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def enter_thread(self) -> None:
        self.thread = threading.current_thread().name

    def timestamp(self) -> str:
        self.calls.append("timestamp")
        return f"after {len(self.calls)}"

    @contextmanager
    def after(self, event: str) -> Iterator[None]:
        self.calls.append(event)
        yield
        self.calls.append("end of job")

    def join(self) -> None:
        self.calls.append("join")


def test_a_job_runs_behind_its_submitters_work_and_the_caller_goes_on_behind_the_job() -> None:
    stream = RecordingStream()
    thread = CommunicationThread(stream)

    thread.run(lambda: stream.calls.append("job"))

    thread.close()
    # The end of the job and the caller's join are recorded on two threads, in any order.
    assert (stream.calls[:3], set(stream.calls[3:])) == (["timestamp", "after 1", "job"], {"end of job", "join"})


def test_the_thread_works_on_its_stream() -> None:
    stream = RecordingStream()
    thread = CommunicationThread(stream)
    thread.run(lambda: None)
    thread.close()

    assert stream.thread == "liecbench-communication"


def test_the_caller_gets_a_jobs_exception() -> None:
    thread = CommunicationThread(HostStream())

    with pytest.raises(ZeroDivisionError):
        thread.run(lambda: 1 // 0)
    thread.close()


def test_an_idle_thread_keeps_no_object_alive() -> None:
    class Holder:
        def job(self) -> None: ...

    holder, thread = Holder(), CommunicationThread(HostStream())
    reference = weakref.ref(holder)
    thread.run(holder.job)
    del holder

    wait_for(lambda: reference() is None, "the job is forgotten")
    thread.close()
