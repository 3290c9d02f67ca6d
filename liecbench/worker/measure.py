"""Measurement of an epoch: a clock on every rank, and one record from all of them."""

import contextlib
import dataclasses
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from liecbench.algorithms.base import Algorithm, NonFiniteError
from liecbench.algorithms.comm.timing import Counters
from liecbench.host.cpu_load import Snapshot
from liecbench.host.gpu_sampler import combined
from liecbench.results.records import Epoch
from liecbench.worker.collective_errors import LinkError


class WireCounter(Protocol):
    """Where bytes on the wire are read."""

    def wire_bytes(self) -> tuple[int, int] | None:
        """Bytes sent and received so far; None where there is no interface to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankEpoch:
    """What one rank saw of an epoch; ``machine_cpu_seconds`` are those that all processors were busy, and had.

    ``gpu`` has one entry, what the GPUs of the machine showed, on the rank that has them watched.
    """

    mean_loss: float
    num_steps: int
    train_seconds: float
    data_seconds: float
    step_seconds: list[float]
    exposed_seconds: float
    counters: Counters
    wire_bytes: tuple[int, int] | None
    cpu_seconds: float
    machine_cpu_seconds: tuple[float, float]
    peak_memory_bytes: int
    gpu: tuple[dict[str, float] | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What all ranks found together after an epoch."""

    test_loss: float
    test_accuracy: float
    divergence: float
    compression_error: float | None
    residual_norm: float | None


class StepClock:
    """Times steps on one rank; bytes and losses count from its making, times from the last ``restart_times``.

    On a GPU its own clock counts: a step lasts from what the host gave it first to what it gave last.
    """

    def __init__(self, algorithm: Algorithm, wire: WireCounter) -> None:
        self._algorithm, self._wire, self._clock = algorithm, wire, algorithm.clock
        self._losses: list[Tensor] = []
        self._first_bytes = dataclasses.replace(algorithm.counters)
        self._first_wire = wire.wire_bytes()
        self._first_cpu = time.process_time()
        self._machine = Snapshot.now()
        self.restart_times()

    def restart_times(self) -> None:
        """Forget the times so far: they were warm-up."""
        self._algorithm.synchronize()
        self._seconds: list[float] = []
        self._waiting = self._loading = 0.0
        self._first_times = dataclasses.replace(self._algorithm.counters)
        self._first_around = self._algorithm.after_step_seconds

    def loading_begins(self) -> None:
        """The next batch is fetched and augmented: no part of training."""
        self._loads_from = time.perf_counter()

    def step_begins(self) -> None:
        """The batch is ready."""
        now = time.perf_counter()
        self._loading += now - self._loads_from
        if self._algorithm.tracer.enabled:
            self._algorithm.tracer.add("load", "training", self._loads_from, now)
        self._began = self._clock.timestamp()

    def backward_returned(self) -> None:
        """The last update is in place: what passed since the last bucket was handed over was not hidden."""
        self._returned, last_bucket_at = self._clock.timestamp(), self._algorithm.last_bucket_timestamp
        self._clock.record(last_bucket_at, self._returned, self._count_waiting)
        self._trace("forward and backward", self._began, last_bucket_at)
        self._trace("wait for the update", last_bucket_at, self._returned)

    def step_ended(self, loss: Tensor) -> None:
        """The optimizer has stepped."""
        ended = self._clock.timestamp()
        self._clock.record(self._began, ended, lambda begun, over: self._seconds.append(over - begun))
        self._trace("optimizer", self._returned, ended)
        self._losses.append(loss)

    def _count_waiting(self, begun: float, over: float) -> None:
        self._waiting += over - begun

    def _trace(self, name: str, start: Any, end: Any) -> None:
        if self._algorithm.tracer.enabled:
            keep = self._algorithm.tracer.add
            self._clock.record(start, end, lambda begun, over: keep(name, "training", begun, over))

    def read(self) -> RankEpoch:
        """The epoch, once every rank is done with it. Collective."""
        # What a GPU has sent over NCCL is on the wire for sure when every rank's has received.
        self._algorithm.synchronize()
        dist.barrier()
        now, first, times = self._algorithm.counters, self._first_bytes, self._first_times
        wire = self._wire.wire_bytes()
        return RankEpoch(
            mean_loss=float(torch.stack(self._losses).double().mean()),
            num_steps=len(self._losses),
            train_seconds=sum(self._seconds),
            data_seconds=self._loading,
            step_seconds=self._seconds,
            exposed_seconds=self._waiting + self._algorithm.after_step_seconds - self._first_around,
            counters=Counters(
                sent_bytes=now.sent_bytes - first.sent_bytes,
                received_bytes=now.received_bytes - first.received_bytes,
                sent_messages=now.sent_messages - first.sent_messages,
                compress_seconds=now.compress_seconds - times.compress_seconds,
                communicate_seconds=now.communicate_seconds - times.communicate_seconds,
            ),
            wire_bytes=_difference(wire, self._first_wire),
            cpu_seconds=time.process_time() - self._first_cpu,
            machine_cpu_seconds=Snapshot.now().cpu_seconds(self._machine),
            peak_memory_bytes=peak_memory_bytes(),
        )


def joined(first: RankEpoch, more: RankEpoch) -> RankEpoch:
    """Two stretches of steps of one rank as one."""
    counters = {
        f.name: getattr(first.counters, f.name) + getattr(more.counters, f.name) for f in dataclasses.fields(Counters)
    }
    wire = None
    if first.wire_bytes is not None and more.wire_bytes is not None:
        wire = (first.wire_bytes[0] + more.wire_bytes[0], first.wire_bytes[1] + more.wire_bytes[1])
    num_steps = first.num_steps + more.num_steps
    busy, possible = (sum(both) for both in zip(first.machine_cpu_seconds, more.machine_cpu_seconds, strict=True))
    return RankEpoch(
        mean_loss=(first.mean_loss * first.num_steps + more.mean_loss * more.num_steps) / num_steps,
        num_steps=num_steps,
        train_seconds=first.train_seconds + more.train_seconds,
        data_seconds=first.data_seconds + more.data_seconds,
        step_seconds=[*first.step_seconds, *more.step_seconds],
        exposed_seconds=first.exposed_seconds + more.exposed_seconds,
        counters=Counters(**counters),
        wire_bytes=wire,
        cpu_seconds=first.cpu_seconds + more.cpu_seconds,
        machine_cpu_seconds=(busy, possible),
        peak_memory_bytes=max(first.peak_memory_bytes, more.peak_memory_bytes),
    )


def _difference(now: tuple[int, int] | None, before: tuple[int, int] | None) -> tuple[int, int] | None:
    return None if now is None or before is None else (now[0] - before[0], now[1] - before[1])


def combine(ranks: list[RankEpoch], totals: Totals, *, cell: str, attempt: int, epoch: int) -> Epoch:
    """One record of what all ranks saw; NonFiniteError where a loss is not finite."""
    train_loss = statistics.fmean(rank.mean_loss for rank in ranks)
    if not math.isfinite(train_loss) or not math.isfinite(totals.test_loss):
        raise NonFiniteError(f"epoch {epoch}: the loss is not finite (train {train_loss}, test {totals.test_loss})")
    slowest = max(ranks, key=lambda rank: rank.train_seconds)
    steps = np.array([rank.step_seconds for rank in ranks]).max(axis=0)
    quantiles = {"median": float(np.median(steps)), "p95": float(np.percentile(steps, 95))} if steps.size else None
    wire = [rank.wire_bytes for rank in ranks if rank.wire_bytes is not None]
    return Epoch(
        cell=cell,
        attempt=attempt,
        epoch=epoch,
        steps=slowest.num_steps,
        timed_steps=len(slowest.step_seconds),
        train_loss=train_loss,
        train_seconds=slowest.train_seconds,
        data_seconds=slowest.data_seconds,
        step_seconds=quantiles,
        compute_seconds=slowest.train_seconds - slowest.exposed_seconds,
        exposed_seconds=slowest.exposed_seconds,
        compress_seconds=slowest.counters.compress_seconds,
        communicate_seconds=slowest.counters.communicate_seconds,
        least_communicate_seconds=min(rank.counters.communicate_seconds for rank in ranks),
        payload_bytes={
            "sent": [rank.counters.sent_bytes for rank in ranks],
            "received": [rank.counters.received_bytes for rank in ranks],
        },
        wire_bytes={"sent": [w[0] for w in wire], "received": [w[1] for w in wire]} if wire else None,
        messages=[rank.counters.sent_messages for rank in ranks],
        cpu_seconds=sum(rank.cpu_seconds for rank in ranks),
        other_cpu_share=other_cpu_share(ranks),
        peak_memory_bytes=max(rank.peak_memory_bytes for rank in ranks),
        gpu=combined([part for rank in ranks for part in rank.gpu]),
        **dataclasses.asdict(totals),
    )


def other_cpu_share(ranks: Sequence[RankEpoch]) -> float:
    """The share of the machine's processors that was busy with anything but these ranks."""
    own = sum(rank.cpu_seconds for rank in ranks)
    shares = [(busy - own) / possible for busy, possible in (rank.machine_cpu_seconds for rank in ranks) if possible]
    return max(0.0, *shares) if shares else 0.0


def check_wire(ranks: list[RankEpoch], backend: str) -> None:
    """LinkError where a wire carried less than the payload: the traffic went another way.

    Gloo's of each rank; NCCL's of all together, because its trees load the ranks unlike.
    """
    each = [(f"rank {n}", rank.counters, rank.wire_bytes) for n, rank in enumerate(ranks) if rank.wire_bytes]
    if backend == "nccl" and each:
        sent, received = (sum(ways) for ways in zip(*(wire for _, _, wire in each), strict=True))
        total = Counters(
            sent_bytes=sum(counters.sent_bytes for _, counters, _ in each),
            received_bytes=sum(counters.received_bytes for _, counters, _ in each),
        )
        each = [("all ranks together", total, (sent, received))]
    for who, counters, wire_bytes in each:
        moved = {"sent": counters.sent_bytes, "received": counters.received_bytes}
        for (direction, payload), wire in zip(moved.items(), wire_bytes, strict=True):
            if wire < payload:
                message = f"{who} {direction} {payload:,} payload bytes, and the interface carried {wire:,}"
                raise LinkError(f"{message}: the traffic went another way")


def mean_over_ranks(value: float | None) -> float | None:
    """The mean of what every rank gives, None where a rank has none. Collective."""
    total = torch.tensor(math.nan if value is None else value, dtype=torch.float64)
    dist.all_reduce(total)
    return float(total) / dist.get_world_size() if total.isfinite() else None


def root_sum_square_over_ranks(value: float | None) -> float | None:
    """The norm of what the ranks hold together, None where a rank has none. Collective."""
    mean_square = mean_over_ranks(None if value is None else value**2)
    return None if mean_square is None else math.sqrt(mean_square * dist.get_world_size())


def reset_peak_memory() -> None:
    """Start a new high-water mark of resident memory, where the kernel lets a process do so."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_bytes() -> int:
    """The high-water mark of this process's resident memory."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
