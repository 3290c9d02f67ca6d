"""The division of steps' time, for made-up measurements, and for a method whose sleeps are known."""

import dataclasses
import time
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import DoubleSqueeze
from liecbench.algorithms.comm.exposure import LinkRates
from liecbench.compressors import Sign
from liecbench.compressors.base import Message
from liecbench.worker.rank_measurement import RankMeasurement
from liecbench.worker.step_clock import StepClock
from liecbench.worker.step_parts import StepParts
from tests.distributed import run_ranks
from tests.worker.rank_measurements import measurement
from tests.worker.small_cells import NoLink

NUM_STEPS, NUMEL = 3, 4096
COMPUTE, BLOCKED, COMPRESS, ARRIVE = 0.02, 0.03, 0.01, 0.05
RATE = 1e6


def rank(seconds: float, **changes: Any) -> RankMeasurement:
    """Return a step of ``seconds`` that computes 2 s; it sends for 3 of 4 exposed seconds and compresses for 1."""
    fields = {
        "compute_seconds": 2.0,
        "exposed_seconds": 4.0,
        "exposed_compress_seconds": 1.0,
        "exposed_communicate_seconds": 3.0,
        "link_seconds": 1.5,
    }
    known = dataclasses.replace(measurement([seconds]), **{**fields, **changes})
    known.counters.communicate_seconds = 6.0
    return known


def parts(compute: float, wire: float, compress: float, other: float) -> StepParts:
    return StepParts(compute_seconds=compute, wire_seconds=wire, compress_seconds=compress, other_seconds=other)


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        # Of 6 s of communication the link explains 1.5 s, a quarter: of 3 exposed seconds 0.75 s are transfer.
        ([rank(8.0), rank(7.0)], parts(2.0, 0.75, 1.0, 4.25)),
        # Compute is the mean over the ranks; the rest is the second rank's, which waits least.
        ([rank(8.0), rank(8.0, compute_seconds=3.0, exposed_compress_seconds=2.0)], parts(2.5, 0.75, 2.0, 2.75)),
        # A link that is at least as busy as the communication: all of it is transfer.
        ([rank(8.0, link_seconds=7.0)], parts(2.0, 3.0, 1.0, 2.0)),
        # No rate is known: the communication of the rank that communicated least.
        ([rank(8.0, link_seconds=None)], parts(2.0, 3.0, 1.0, 2.0)),
        # More than the whole time: computing first, then compression.
        ([rank(2.5)], parts(2.0, 0.0, 0.5, 0.0)),
        ([rank(1.0)], parts(1.0, 0.0, 0.0, 0.0)),
    ],
)
def test_parts_are_the_slowest_ranks_time(ranks: list[RankMeasurement], expected: StepParts) -> None:
    assert StepParts.of(ranks) == expected


@pytest.mark.parametrize(
    ("alone", "expected"),
    [(1.5, parts(1.5, 0.75, 1.0, 4.75)), (7.5, parts(7.5, 0.0, 0.5, 0.0)), (9.0, parts(8.0, 0.0, 0.0, 0.0))],
)
def test_computing_that_was_measured_alone_replaces_that_of_the_steps(alone: float, expected: StepParts) -> None:
    assert StepParts.of([rank(8.0), rank(7.0)], compute_seconds=alone) == expected


class SlowSign(Sign):
    def compress(self, tensor: Tensor, residual: Tensor | None = None) -> Message:
        time.sleep(COMPRESS)
        return super().compress(tensor, residual)


class SlowArrival:
    """A pacer that delivers every message late."""

    is_active = True

    def record_send(self, peer: int, payload_bytes: int) -> None: ...

    def wait_for_arrival(self, peer: int, payload_bytes: int, waiting_since: float) -> None:
        time.sleep(ARRIVE)


class KnownLink(NoLink):
    emulator_seconds = 0.0

    def emulator_cpu_seconds(self) -> float:
        self.emulator_seconds += 1e6
        return self.emulator_seconds

    def rates(self) -> LinkRates:  # type: ignore[override]
        return LinkRates(up_bits_per_second=RATE, down_bits_per_second=RATE)


def busy(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def train_slowly() -> RankMeasurement:
    model = nn.Linear(NUMEL, 1, bias=False)
    ddp = DistributedDataParallel(model, gradient_as_bucket_view=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    algorithm = DoubleSqueeze(compressor=SlowSign(), block_bytes="whole")
    algorithm.pacer = SlowArrival()  # type: ignore[assignment]
    algorithm.attach(ddp, optimizer)
    clock = StepClock(algorithm, KnownLink())
    dist.barrier()
    for step in range(NUM_STEPS + 1):
        clock.loading_begins()
        clock.step_begins()
        busy(20 * COMPUTE if step == 2 else COMPUTE)  # for example, Python collects garbage
        time.sleep(BLOCKED)
        loss = ddp(torch.ones(1, NUMEL)).mean()
        loss.backward()
        clock.backward_returned()
        optimizer.step()
        clock.step_ended(loss.detach())
        if step == 0:
            clock.restart_times()
    measured = clock.read()
    algorithm.close()
    return measured


def test_known_sleeps_give_known_parts() -> None:
    ranks = run_ranks(train_slowly, 2)
    actual = StepParts.of(ranks)
    # A push and a pull, each of half of the signs and a scale of 4 bytes, in one segment each way.
    link_seconds = NUM_STEPS * 2 * 8 * (NUMEL // 2 // 8 + 4 + 66 + 33) / RATE

    assert [rank.link_seconds for rank in ranks] == pytest.approx([link_seconds] * 2)
    assert NUM_STEPS * COMPUTE <= actual.compute_seconds < (NUM_STEPS + 19) * COMPUTE
    # Per step each rank compresses two halves for the push and one answer.
    assert actual.compress_seconds >= NUM_STEPS * 3 * COMPRESS
    assert 0 < actual.wire_seconds <= link_seconds
    assert NUM_STEPS * (BLOCKED + 2 * ARRIVE) - link_seconds <= actual.other_seconds
    whole = max(rank.train_seconds for rank in ranks)
    assert whole == pytest.approx(
        actual.compute_seconds + actual.wire_seconds + actual.compress_seconds + actual.other_seconds
    )
    # The process that emulates the link seems to have used more than the whole machine, and is left out.
    assert all(-1e6 <= rank.machine_cpu_seconds[0] < 0 for rank in ranks)
    assert [rank.memory_bytes for rank in ranks] == [4 * (NUMEL + NUMEL // 2)] * 2
