"""The thread on which an algorithm communicates, and the GPU stream on which that thread works."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

import torch

T = TypeVar("T")


class HostStream:
    """The CPU's counterpart of a CUDA stream.

    ``wait_for_default_stream`` and ``join`` do nothing, because an operation on the CPU is complete when its call
    returns.
    """

    @property
    def devices(self) -> list[int | str | torch.device] | None:
        """The argument ``devices`` for a ``torch.futures.Future`` whose value this stream computes; None on the CPU."""
        return None

    def enter_thread(self) -> None:
        """Prepare the calling thread to work on this stream."""

    def timestamp(self) -> Any:
        """Return an event that completes when all work that the caller has issued so far is done; None on the CPU."""
        return None

    @contextmanager
    def after(self, event: Any) -> Iterator[None]:
        """Run the ``with`` body on this stream. On a GPU, the work of the body starts when ``event`` is complete."""
        yield

    def wait_for_default_stream(self) -> None:
        """Make the caller's current CUDA stream wait for the default stream, on which Gloo's callbacks issue work.

        On the CPU, do nothing.
        """

    def join(self) -> None:
        """Make the work that the caller issues after this call wait for the work on this stream.

        On the CPU, do nothing.
        """


class GpuStream(HostStream):
    """A CUDA stream with a higher priority than the backward pass, because other ranks wait for its results."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device, priority=-1)

    @property
    def devices(self) -> list[int | str | torch.device]:
        """The GPU, in a list."""
        return [self._device]

    def enter_thread(self) -> None:
        """Set the current CUDA device of the calling thread to the GPU of this stream."""
        # So that tensors with no named GPU, such as those on "cuda", are created on this one.
        torch.cuda.set_device(self._device)

    def timestamp(self) -> torch.cuda.Event:
        """Return an event recorded on the caller's current stream."""
        event = torch.cuda.Event()
        event.record(torch.cuda.current_stream(self._device))
        return event

    @contextmanager
    def after(self, event: torch.cuda.Event) -> Iterator[None]:
        """Issue the work of the ``with`` body on this stream, to start once ``event`` is complete."""
        with torch.cuda.stream(self._stream):
            self._stream.wait_event(event)
            yield

    def wait_for_default_stream(self) -> None:
        """Make the calling thread's stream wait for the default stream."""
        torch.cuda.current_stream(self._device).wait_stream(torch.cuda.default_stream(self._device))

    def join(self) -> None:
        """Make the caller's current stream wait for this stream."""
        torch.cuda.current_stream(self._device).wait_stream(self._stream)


def stream_for(device: torch.device) -> HostStream:
    """Return the stream for communicating tensors on ``device``: a ``GpuStream`` on a GPU, else a ``HostStream``."""
    return GpuStream(device) if device.type == "cuda" else HostStream()


class CallingThread:
    """Runs each job immediately, on the thread that submits the job."""

    def submit(self, job: Callable[[], None]) -> None:
        """Run a job at once."""
        job()

    def start(self, job: Callable[[], T]) -> "Future[T]":
        """Run a job to its end on the calling thread, and return a completed future with the job's result."""
        future: Future[T] = Future()
        future.set_result(job())
        return future

    def wait(self, started: "Future[T]") -> T:
        """Return the result of a job that ``start`` has run."""
        return started.result()

    def run(self, job: Callable[[], T]) -> T:
        """Run a job and return what it returns."""
        return job()

    def close(self) -> None:
        """Do nothing: no thread was started."""


class CommunicationThread:
    """A thread that runs jobs in the order of ``submit``.

    On a GPU, the work of a job waits for the work that the caller of ``submit`` issued before the call.
    """

    def __init__(self, stream: HostStream) -> None:
        self._jobs: SimpleQueue[tuple[Any, Callable[[], None]] | None] = SimpleQueue()
        self._stream = stream
        # A daemon, so that a failed rank can exit while the thread waits for a message, and the peers can notice.
        self._thread = threading.Thread(target=self._work, name="liecbench-communication", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], None]) -> None:
        """Queue a job, which must not raise."""
        self._jobs.put((self._stream.timestamp(), job))

    def start(self, job: Callable[[], T]) -> "Future[T]":
        """Queue a job, and return a future of its result or exception."""
        future: Future[T] = Future()

        def complete() -> None:
            try:
                future.set_result(job())
            except BaseException as error:
                future.set_exception(error)

        self.submit(complete)
        return future

    def wait(self, started: "Future[T]") -> T:
        """Wait for the end of a job. GPU work that the caller issues later waits for the GPU work of the job.

        Args:
            started: The future that ``start`` returned for the job.

        Returns:
            The result of the job.

        Raises:
            BaseException: The exception that the job raises.
        """
        result = started.result()
        self._stream.join()
        return result

    def run(self, job: Callable[[], T]) -> T:
        """Run a job, wait for its end as ``wait`` does, and return the job's result."""
        return self.wait(self.start(job))

    def close(self) -> None:
        """Finish the queued jobs and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        self._stream.enter_thread()
        while (queued := self._jobs.get()) is not None:
            submitted, job = queued
            with self._stream.after(submitted):
                job()
            del queued, submitted, job  # an idle thread must not keep a job's objects alive
