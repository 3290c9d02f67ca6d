"""The clock that measures time, bytes and loss of consecutive training steps on one rank."""

import contextlib
import copy
import dataclasses
import os
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from liecbench.algorithms.base import Algorithm
from liecbench.algorithms.comm.exposure import LinkRates
from liecbench.algorithms.comm.timing import Counters
from liecbench.host.cpu_load import CpuLoad
from liecbench.worker.rank_measurement import RankMeasurement
from liecbench.worker.work_clock import uses_cpu_time


class MeasuredWire(Protocol):
    """The functions of a rank's network link that ``StepClock`` uses."""

    def wire_bytes(self) -> tuple[int, int] | None:
        """Return (sent, received) bytes of this rank's network interface so far; None if ranks share the interface."""

    def rates(self) -> LinkRates | None:
        """Return the rates of this rank's link; None if they are unknown."""

    def emulator_cpu_seconds(self) -> float:
        """Return the CPU seconds so far of the process that emulates the links; 0 if there is no such process."""


class StepClock:
    """A clock that measures the times, bytes and losses of consecutive steps on one rank.

    ``read`` returns the measurement of the steps so far. ``restart_times`` discards the times so far, but keeps the
    losses, the bytes, and the CPU seconds of this process and of the machine. On a GPU, a step begins with the GPU's
    first work on the step, and ends with the GPU's last work on the step.

    The compute time of the steps depends on the device:

    - CPU with one torch thread: the training thread's CPU time for model and optimizer.
    - GPU, or several torch threads: the time of the steps, without the time in which the training thread waits for
      compression and communication (exposed time).
    """

    # With one thread, CPU time is used, because it does not grow if other threads and processes use the processor.

    def __init__(self, algorithm: Algorithm, wire: MeasuredWire) -> None:
        self._algorithm, self._wire, self._clock = algorithm, wire, algorithm.clock
        algorithm.exposure.rates = wire.rates()
        self._uses_thread_time = uses_cpu_time(algorithm.device)
        self._losses: list[Tensor] = []
        self._first_bytes = dataclasses.replace(algorithm.counters)
        self._first_wire = wire.wire_bytes()
        self._first_cpu = time.process_time()
        self._machine, self._first_emulator_cpu = CpuLoad.now(), wire.emulator_cpu_seconds()
        self.restart_times()

    def restart_times(self) -> None:
        """Discard the times so far, because the steps so far were warm-up."""
        self._algorithm.synchronize()
        self._seconds: list[float] = []
        self._cpu_seconds: list[float] = []
        self._waiting = self._loading = 0.0
        self._first_times = dataclasses.replace(self._algorithm.counters)
        self._first_exposed = copy.copy(self._algorithm.exposure.totals)
        self._first_around = self._algorithm.after_step_seconds

    def loading_begins(self) -> None:
        """Record that loading of the next batch begins. Loading and augmentation are not part of the step's time."""
        self._loads_from = time.perf_counter()

    def step_begins(self) -> None:
        """Record that the next batch is ready: loading ends, and the step's time begins."""
        now = time.perf_counter()
        self._loading += now - self._loads_from
        if self._algorithm.tracer.enabled:
            self._algorithm.tracer.add("load", "training", self._loads_from, now)
        self._cpu_from = self._own_cpu_seconds()
        self._began = self._clock.timestamp()

    def backward_returned(self) -> None:
        """Record the end of the backward pass. The gradients must hold the result of communication.

        The time since DDP handed over the step's last gradient bucket counts as exposed: training only waited for
        compression and communication.
        """
        self._returned, last_bucket_at = self._clock.timestamp(), self._algorithm.last_bucket_timestamp
        self._clock.record(last_bucket_at, self._returned, self._count_waiting)
        self._trace("forward and backward", self._began, last_bucket_at)
        self._trace("wait for the update", last_bucket_at, self._returned)

    def step_ended(self, loss: Tensor) -> None:
        """Record the end of a step, which is when the optimizer has stepped; ``loss`` is the step's loss."""
        ended = self._clock.timestamp()
        self._cpu_seconds.append(self._own_cpu_seconds() - self._cpu_from)
        self._clock.record(self._began, ended, lambda begin, end: self._seconds.append(end - begin))
        self._trace("optimizer", self._returned, ended)
        self._losses.append(loss)

    def _count_waiting(self, begin: float, end: float) -> None:
        self._waiting += end - begin
        self._algorithm.exposure.add_window(begin, end)

    def _own_cpu_seconds(self) -> float:
        """Return the CPU seconds that this thread has used so far, without those in the method's hooks."""
        return time.thread_time() - self._algorithm.hook_cpu_seconds

    def _compute_seconds(self) -> float:
        """Return the CPU seconds of the training thread in all timed steps, without those in the method's hooks.

        The result is an estimate: the number of steps × the lower quartile of the CPU seconds per step.
        """
        # All steps compute the same, and other work on the machine can only increase their CPU seconds. So the lower
        # quartile is closer to the truth than the mean.
        seconds = self._cpu_seconds
        return len(seconds) * float(np.quantile(seconds, 0.25)) if seconds else 0.0

    def _machine_cpu_seconds(self) -> tuple[float, float]:
        used, available = CpuLoad.now().cpu_seconds(self._machine)
        return used - (self._wire.emulator_cpu_seconds() - self._first_emulator_cpu), available

    def _trace(self, name: str, start: Any, end: Any) -> None:
        if self._algorithm.tracer.enabled:
            add = self._algorithm.tracer.add
            self._clock.record(start, end, lambda begin, end: add(name, "training", begin, end))

    def read(self) -> RankMeasurement:
        """Return this rank's measurement of its steps. Collective.

        Bytes, losses and CPU seconds count from the creation of the clock. The seconds of steps, and of their parts,
        count from the last call of ``restart_times``.
        """
        # The counter is certain to have all bytes that a GPU sent over NCCL only when all GPUs have received theirs.
        self._algorithm.synchronize()
        dist.barrier()
        now, first, times = self._algorithm.counters, self._first_bytes, self._first_times
        wire = self._wire.wire_bytes()
        train_seconds, exposed = sum(self._seconds), self._algorithm.exposure.totals.since(self._first_exposed)
        exposed_seconds = self._waiting + self._algorithm.after_step_seconds - self._first_around
        return RankMeasurement(
            mean_loss=float(torch.stack(self._losses).double().mean()),
            num_steps=len(self._losses),
            train_seconds=train_seconds,
            data_seconds=self._loading,
            step_seconds=self._seconds,
            compute_seconds=self._compute_seconds() if self._uses_thread_time else train_seconds - exposed_seconds,
            exposed_seconds=exposed_seconds,
            exposed_compress_seconds=exposed.compress_seconds,
            exposed_communicate_seconds=exposed.communicate_seconds,
            link_seconds=None if self._algorithm.exposure.rates is None else exposed.link_seconds,
            counters=Counters(
                sent_bytes=now.sent_bytes - first.sent_bytes,
                received_bytes=now.received_bytes - first.received_bytes,
                sent_messages=now.sent_messages - first.sent_messages,
                compress_seconds=now.compress_seconds - times.compress_seconds,
                communicate_seconds=now.communicate_seconds - times.communicate_seconds,
            ),
            wire_bytes=difference(wire, self._first_wire),
            cpu_seconds=time.process_time() - self._first_cpu,
            machine_cpu_seconds=self._machine_cpu_seconds(),
            peak_memory_bytes=peak_memory_bytes(),
            memory_bytes=self._algorithm.memory_bytes(),
            machine=int(os.environ.get("GROUP_RANK", "0")),
        )


def difference(now: tuple[int, int] | None, before: tuple[int, int] | None) -> tuple[int, int] | None:
    """Return (sent, received) bytes of an interface between two readings; None if a reading is missing."""
    return None if now is None or before is None else (now[0] - before[0], now[1] - before[1])


def reset_peak_memory() -> None:
    """Restart the high-water mark of this process's resident memory, if the kernel permits it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_bytes() -> int:
    """Return the high-water mark of this process's resident memory, in bytes."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
