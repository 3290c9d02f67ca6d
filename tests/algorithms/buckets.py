"""Training in several DDP buckets in their final layout, as in a run, with failures and resumes."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import GradBucket
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms import Algorithm, NonFiniteError
from tests.algorithms import network

SEVERAL = 0.0001
BUCKET_BYTES = int(SEVERAL * 2**20)


@dataclass
class Run:
    model: nn.Module
    ddp: DistributedDataParallel
    optimizer: torch.optim.Optimizer

    def train(self, steps: Iterable[int], scale: Callable[[int], float] = lambda _: 1) -> None:
        for step in steps:
            self.optimizer.zero_grad()
            (network.loss(self.ddp, step, dist.get_rank()) * scale(step)).backward()
            self.optimizer.step()

    def flat(self) -> Tensor:
        return network.flat(self.model)

    def gradient(self) -> Tensor:
        return torch.cat(
            [parameter.grad.view(-1) for parameter in self.model.parameters() if parameter.grad is not None]
        )

    def shapes(self) -> list[torch.Size]:
        return [parameter.shape for parameter in self.model.parameters()]


@dataclass(frozen=True)
class Setup:
    """A model and its buckets, whose layout DDP changes after the first backward pass."""

    build: Callable[[], nn.Module] = network.build
    bucket_cap_mb: float = SEVERAL
    num_passes: int = 2


SETTLED = Setup()
ONE_BUCKET = Setup(bucket_cap_mb=25)


def build(setup: Setup = SETTLED) -> Run:
    model = setup.build()
    ddp = DistributedDataParallel(model, bucket_cap_mb=setup.bucket_cap_mb, gradient_as_bucket_view=True)
    for _ in range(setup.num_passes):
        network.loss(ddp, 0, 0).backward()
    optimizer = torch.optim.SGD(model.parameters(), lr=network.LEARNING_RATE, momentum=0.9)
    optimizer.zero_grad()
    return Run(model, ddp, optimizer)


def attached(algorithm: Algorithm, setup: Setup = SETTLED) -> Run:
    run = build(setup)
    algorithm.attach(run.ddp, run.optimizer)
    return run


def num_buckets() -> int:
    """Return the number of buckets of ``SETTLED``."""
    seen = []

    def hook(_: None, bucket: GradBucket) -> Future[Tensor]:
        seen.append(bucket.index())
        future: Future[Tensor] = Future()
        future.set_result(bucket.buffer())
        return future

    run = build()
    run.ddp.register_comm_hook(None, hook)
    network.loss(run.ddp, 0, 0).backward()
    return len(seen)


def traffic(algorithm: Algorithm, num_steps: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return this rank's bytes sent, bytes received and messages over all steps: as counted, and as scheduled."""
    run = attached(algorithm)
    run.train(range(num_steps))
    scheduled = [scheduled_step(algorithm, run.shapes(), step) for step in range(num_steps)]
    by_kind = dict(zip(map(algorithm.step_kind, range(num_steps)), scheduled, strict=True))
    assert scheduled == [by_kind[algorithm.step_kind(step)] for step in range(num_steps)]
    counters = algorithm.counters
    counted = (counters.sent_bytes, counters.received_bytes, counters.sent_messages)
    sent, received, messages = (sum(values) for values in zip(*scheduled, strict=True))
    return counted, (sent, received, messages)


def scheduled_step(algorithm: Algorithm, shapes: list[torch.Size], step: int) -> tuple[int, int, int]:
    rank = dist.get_rank()
    schedule = algorithm.schedule(shapes, world_size=dist.get_world_size(), step=step)
    return (*schedule.payload_bytes()[rank], schedule.num_messages()[rank])


def stopped(algorithm: Algorithm, value: float) -> tuple[str, int, bool, bool]:
    """Multiply rank 1's gradient in step 1 by ``value``.

    Returns:
        The error, the step, whether the memories are finite, and whether the model is unchanged.
    """
    run = attached(algorithm)
    run.train([0])
    before = run.flat()
    try:
        run.train([1], lambda _: value if dist.get_rank() == 1 else 1)
    except NonFiniteError as error:
        memories = [memory for values in algorithm.memories().values() for memory in values]
        finite = all(bool(memory.isfinite().all()) for memory in memories)
        return str(error), algorithm.step, finite, torch.equal(run.flat(), before)
    return "nothing was raised", algorithm.step, False, False


def resumed(
    make: Callable[[], Algorithm], setup: Setup = SETTLED, then: Setup | None = None, *, half: int = 5
) -> tuple[float, int]:
    """Train twice ``half`` steps in ``setup``, and the second half of them again, resumed from a file in ``then``.

    Returns:
        The distance of the two models, and the resumed step count.
    """
    algorithm = make()
    run = attached(algorithm, setup)
    run.train(range(half))
    file = io.BytesIO()
    torch.save([run.model.state_dict(), run.optimizer.state_dict(), algorithm.state_dict()], file)
    run.train(range(half, 2 * half))
    file.seek(0)
    model, optimizer, state = torch.load(file, weights_only=True)
    again = make()
    second = attached(again, then or setup)
    second.model.load_state_dict(model)
    second.optimizer.load_state_dict(optimizer)
    again.load_state_dict(state)
    second.train(range(half, 2 * half))
    return float((second.flat() - run.flat()).norm()), again.step
