"""The one thread on which an algorithm communicates."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class CommunicationThread:
    """Runs jobs in the order given. A daemon: a rank that fails exits and frees its peers, whatever it waited for."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="liecbench-communication", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], None]) -> None:
        """Run a job that raises nothing, later."""
        self._jobs.put(job)

    def run(self, job: Callable[[], T]) -> T:
        """Run a job and wait for what it returns or raises."""
        future: Future[T] = Future()

        def settle() -> None:
            try:
                future.set_result(job())
            except BaseException as error:
                future.set_exception(error)

        self.submit(settle)
        return future.result()

    def close(self) -> None:
        """Finish the jobs given so far, and end."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
