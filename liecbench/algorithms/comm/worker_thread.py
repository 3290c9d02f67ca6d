"""The one thread on which an algorithm communicates."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from liecbench.algorithms.comm.lane import Lane

T = TypeVar("T")


class CommunicationThread:
    """Runs jobs in the order given, each behind what its giver had given out on a GPU by then.

    A daemon: a rank that fails exits and frees its peers, whatever it waited for.
    """

    def __init__(self, lane: Lane) -> None:
        self._jobs: SimpleQueue[tuple[Any, Callable[[], None]] | None] = SimpleQueue()
        self._lane = lane
        self._thread = threading.Thread(target=self._work, name="liecbench-communication", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], None]) -> None:
        """Run a job that raises nothing, later."""
        self._jobs.put((self._lane.ready(), job))

    def run(self, job: Callable[[], T]) -> T:
        """Run a job and wait for what it returns or raises; what it gave out on a GPU precedes what the caller will."""
        future: Future[T] = Future()

        def settle() -> None:
            try:
                future.set_result(job())
            except BaseException as error:
                future.set_exception(error)

        self.submit(settle)
        result = future.result()
        self._lane.join()
        return result

    def close(self) -> None:
        """Finish the jobs given so far, and end."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        self._lane.enter()
        while (given := self._jobs.get()) is not None:
            ready, job = given
            with self._lane.after(ready):
                job()
            del given, ready, job  # while it waits it keeps nobody alive
