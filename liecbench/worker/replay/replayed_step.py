"""One replayed training step on one rank: sleep until each gradient block is ready, and exchange it."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from liecbench.algorithms.comm.schedule import Schedule
from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.profiles.profile import CompressorTimes
from liecbench.worker.replay.pauses import Pauses
from liecbench.worker.replay.replayed_all_reduces import ReplayedAllReduces
from liecbench.worker.replay.replayed_exchange import ReplayedExchange
from liecbench.worker.replay.work_seconds import WorkSeconds


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTimes:
    """Real seconds of one step: all of the step, and the part in which it waited for the exchange."""

    seconds: float
    exposed_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedStep:
    """A step of one kind, ready to be replayed any number of times.

    Attributes:
        schedule: The step's calls and all-reduces. A call is a push, pull or gather of one compressed vector.
        work: This rank's seconds of computing in the step.
        times: For each call of ``schedule``, in order, the seconds of each operation of the call's compressor.
        exchange: Sends and receives the messages of a call.
        all_reduces: Runs the step's all-reduces.
        pauses: Lets this rank sleep instead of computing.
        watch: Counts the step's bytes and messages, and times its work.
    """

    schedule: Schedule
    work: WorkSeconds
    times: tuple[CompressorTimes, ...]
    exchange: ReplayedExchange
    all_reduces: ReplayedAllReduces
    pauses: Pauses
    watch: Stopwatch

    def run(self) -> StepTimes:
        """Replay the step, and return its times. Collective.

        The step has three parts:

        - For each block, the rank sleeps until the block's gradients are ready, and exchanges the block. All blocks are
          exchanged before the next part.
        - The rank sleeps for the seconds of the optimizer's step.
        - The rank exchanges the messages that the method sends after a step. If the method sends them while later
          steps compute, the rank meanwhile sleeps in place of this computing. The returned times leave out this sleep.
        """
        began = time.perf_counter()
        handed_over, late = began, 0.0
        for block, ready in enumerate(self.work.ready):
            handed_over = began + self._real(ready + late)
            self.pauses.pause_until(handed_over)
            # All-reduces start on the training thread, so that the method's own work delays the later gradients.
            late += self.work.local[block] if self.schedule.all_reduces else 0.0
            self._exchange_block(block)
        self.all_reduces.finish()
        self.pauses.pause_until(began + self._real(self.work.backward + late))
        updated = time.perf_counter()
        self.watch.exposure.add_window(handed_over, updated)
        self.pauses.pause(self.work.optimizer)
        hidden = self._real(self.schedule.overlapped_steps * self.work.compute)
        waits_from = time.perf_counter() + hidden
        self._make_last_calls(waits_from)
        ended = time.perf_counter()
        self.watch.exposure.add_window(waits_from, ended)
        exposed = max(0.0, updated - handed_over) + max(0.0, ended - waits_from)
        return StepTimes(seconds=ended - began - hidden, exposed_seconds=exposed)

    def _real(self, seconds: float) -> float:
        return seconds * self.pauses.dilation

    def _exchange_block(self, block: int) -> None:
        self.pauses.pause(self.work.local[block])
        self._make_calls(block)
        self.all_reduces.start_bucket(block)

    def _make_last_calls(self, until: float) -> None:
        """Make the exchanges that follow the optimizer's step.

        If the method hides these exchanges behind the computing of later steps, also sleep until the time ``until``, at
        which this computing ends. ``until`` is in seconds of ``time.perf_counter``.
        """
        if not self.schedule.overlapped_steps:
            self._make_calls(None)
            return
        with ThreadPoolExecutor(max_workers=1) as background:
            calls = background.submit(self._make_calls, None)
            time.sleep(max(0.0, until - time.perf_counter()))
            calls.result()

    def _make_calls(self, block: int | None) -> None:
        for call, times in zip(self.schedule.calls, self.times, strict=True):
            if call.block == block:
                self.exchange.make(call, times)
