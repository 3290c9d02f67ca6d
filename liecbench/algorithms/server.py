"""Algorithms that average through a server: blocks, memories, and one thread that overlaps them with backward."""

import itertools
import operator
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass as plain_dataclass
from typing import ClassVar

import torch
import torch.distributed as dist
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.distributed import GradBucket  # type: ignore[attr-defined]
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.base import CONFIG, Algorithm, NonFiniteError
from liecbench.algorithms.comm.exchange import Exchange, NonFiniteMessageError
from liecbench.algorithms.comm.partition import Block, ServerPlace, cut_shards, payload_bytes, plan_blocks
from liecbench.algorithms.comm.worker_thread import CommunicationThread, stream_for
from liecbench.compressors.base import Compressor


@plain_dataclass(frozen=True, slots=True)
class Route:
    """One exchange of every block: how it is compressed on the way up to the server, and down from it."""

    up: Compressor
    down: Compressor


@plain_dataclass(slots=True, eq=False)
class _Bucket:
    """A bucket of DDP's that waits for the blocks of its parameters."""

    buffer: Tensor
    future: Future[Tensor]
    waits_for: set[int]


@dataclass(kw_only=True, eq=False, config=CONFIG)
class ServerAlgorithm(Algorithm):
    """A method written as the paper writes it: ``reduce`` one block of gradient to an update.

    ``server`` is ``root`` (rank 0 serves every block) or ``sharded`` (every rank serves a shard of each block).
    """

    server: ServerPlace = "sharded"
    supports_pacing: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._scratch = torch.empty(0)

    @abstractmethod
    def reduce(self, block: Block) -> Tensor:
        """The update for ``block.gradient``, of its shape; it may be written in place. Runs on the thread."""

    @abstractmethod
    def routes(self, step: int, world_size: int) -> list[Route]:
        """Every exchange that step number ``step`` makes for each block."""

    def allocate(self) -> dict[str, list[Tensor]]:
        """The method's memories by name, each a tensor a block.

        A name that begins with ``server`` is of what this rank serves; one that ends in ``error`` is an error memory.
        """
        return {}

    def prepare(self, block: Block) -> None:
        """What a method does to its memories before a step's ``reduce``."""
        return

    def vector(self, block: Block) -> Tensor:
        """What a worker compresses for a block."""
        return block.gradient

    def worker_memory(self) -> list[Tensor]:
        """Zeros of the size of every block."""
        return [torch.zeros(block.numel, device=self.device) for block in self.blocks]

    def server_memory(self) -> list[Tensor]:
        """Zeros of the size of what this rank serves of every block."""
        return [torch.zeros(self.exchange.local_shard(block.numel).numel, device=self.device) for block in self.blocks]

    def scratch(self, numel: int) -> Tensor:
        """Room for one block, shared by all of them."""
        if self._scratch.numel() < numel:
            self._scratch = torch.empty(numel, device=self.device)
        return self._scratch[:numel]

    def planned_payload_bytes(
        self, shapes: Sequence[torch.Size], rank: int, world_size: int, step: int
    ) -> tuple[int, int]:
        """Payload bytes that ``rank`` sends and receives in step ``step`` over parameters of these shapes."""
        sent = received = 0
        numels = [shape.numel() for shape in shapes]
        for indices in plan_blocks(numels, self.block_bytes):
            shards = cut_shards(sum(numels[i] for i in indices), world_size, self.server)
            for route in self.routes(step, world_size):
                up, down = payload_bytes(shards, rank, world_size, route.up, route.down)
                sent, received = sent + up, received + down
        return sent, received

    def on_attach(self, ddp: DistributedDataParallel, group: dist.ProcessGroup) -> None:
        """Plan the blocks, allocate the memories and start the communication thread."""
        named = [(n, p) for n, p in ddp.module.named_parameters() if p.requires_grad]
        self._group = group
        self._finds_unused = ddp.find_unused_parameters
        self._about = ""
        self.exchange = Exchange(
            group,
            self.server,
            self._stopwatch(),
            pacer=self.pacer,
            device=self.device,
            on_flag=lambda flag: self._finite_check.submit(flag, self._about),
        )
        self.blocks = [
            Block(index=i, names=[named[j][0] for j in indices], parameters=[named[j][1] for j in indices])
            for i, indices in enumerate(plan_blocks([p.numel() for _, p in named], self.block_bytes))
        ]
        self._block_of: dict[Tensor, Block] = {
            parameter: block for block in self.blocks for parameter in block.parameters
        }
        self._memories = self.allocate()
        self._stream = stream_for(self.device)
        self._thread = CommunicationThread(self._stream)
        self._buckets: list[_Bucket] = []
        self._num_reduced = 0
        self._updates: dict[Tensor, Tensor] = {}

    def reduce_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        """Queue a bucket on the communication thread."""
        future: Future[Tensor] = Future(devices=self._stream.devices)
        parameters, gradients, buffer = bucket.parameters(), bucket.gradients(), bucket.buffer()
        self._thread.submit(lambda: self._receive(parameters, gradients, buffer, future))
        return future

    def _receive(
        self, parameters: list[Tensor], gradients: list[Tensor], buffer: Tensor, future: Future[Tensor]
    ) -> None:
        waits_for = {self._block_of[parameter].index for parameter in parameters}
        self._buckets.append(_Bucket(buffer, future, waits_for))
        try:
            for parameter, flat in zip(parameters, gradients, strict=True):
                gradient = _as_stored(flat, parameter)
                self._updates[parameter] = gradient
                block = self._block_of[parameter]
                if block.add_gradient(parameter, gradient) and self._failure is None:
                    self._reduce(block)
        except BaseException as error:
            self._failure = error
        if self._failure is not None:
            self._release(lambda _: True)

    def _reduce(self, block: Block) -> None:
        block.gather()
        self.exchange.begin(self.step, block.index)
        names = f"{block.names[-1]} … {block.names[0]}" if len(block.names) > 1 else block.names[0]
        self._about = f"step {self.step}: gradients of block {block.index} ({names}) are not finite"
        try:
            self.prepare(block)
            block.scatter(self.reduce(block))
        except NonFiniteMessageError:
            raise NonFiniteError(self._about) from None
        self._num_reduced += 1
        if self._num_reduced == len(self.blocks):
            self._num_reduced = 0
            self.step += 1
        for bucket in self._buckets:
            bucket.waits_for.discard(block.index)
        self._release(lambda bucket: not bucket.waits_for)

    def _release(self, done: Callable[[_Bucket], bool]) -> None:
        released = [bucket for bucket in self._buckets if done(bucket)]
        self._buckets = [bucket for bucket in self._buckets if bucket not in released]
        for bucket in released:
            bucket.future.set_result(bucket.buffer)

    def before_step(self) -> None:
        """Give parameters that no rank used their update."""
        # DDP drops what its hook returns for parameters that no rank used: their update, which the memories have
        # counted as applied, is given to them here.
        given: list[tuple[Tensor, Tensor]] = []
        for parameter, update in self._updates.items():
            if parameter.grad is None:
                parameter.grad = update.detach().clone()
            elif self._finds_unused:
                given.append((parameter.grad, update))
        if given:  # one question to a GPU for all of them
            used = torch.stack([gradient.any() for gradient, _ in given]).tolist()
            for gradient, update in itertools.compress(given, map(operator.not_, used)):
                gradient.copy_(update)
        self._updates.clear()

    def average_models(self) -> None:
        """Replace every worker's parameters by their mean, in full precision; NonFiniteError where they have none."""
        self._about = f"step {self.step}: the models are not finite"
        try:
            self._thread.run(self._average_blocks)
        except NonFiniteMessageError:
            raise NonFiniteError(self._about) from None

    def _average_blocks(self) -> None:
        for block in self.blocks:
            block.set_parameters(self.exchange.mean(block.flat_parameters()))

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """The workers' mean model in place; local models come back on exit. Collective."""
        self.synchronize()
        if not self.local_models:
            yield
            return
        local = [block.flat_parameters() for block in self.blocks]
        self.average_models()
        self.synchronize()
        try:
            yield
        finally:
            for block, flat in zip(self.blocks, local, strict=True):
                block.set_parameters(flat)

    def compression_error(self) -> float | None:
        """‖v − C(v)‖²/‖v‖² for the gradients now in the parameters, no state changed; None where undefined."""
        routes = self.routes(0, self.exchange.world_size)
        if not routes:
            return None
        left = whole = 0.0
        for block in self.blocks:
            for parameter in block.parameters:
                gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
                block.add_gradient(parameter, gradient)
            block.gather()
            vector = self.vector(block)
            whole += float(vector.double().square().sum())
            self.exchange.keep_residual(routes[0].up, vector)
            left += float(vector.double().square().sum())
            block.release()
        return left / whole if whole else None

    def close(self) -> None:
        """Stop the thread and leave the process group."""
        self._thread.close()
        dist.destroy_process_group(self._group)

    def memories(self) -> dict[str, list[Tensor]]:
        """Return the memories that ``allocate`` made."""
        return self._memories


def _as_stored(gradient: Tensor, parameter: Tensor) -> Tensor:
    """DDP stores a gradient in its parameter's order; the hook's view has the parameter's shape, in storage order."""
    extent = 1 + sum((size - 1) * stride for size, stride in zip(parameter.shape, parameter.stride(), strict=True))
    if extent == parameter.numel():
        return gradient.as_strided(parameter.shape, parameter.stride())
    return gradient
