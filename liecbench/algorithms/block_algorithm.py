"""The base class of methods that exchange gradients during the backward pass, block by block."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, ClassVar, Final, Literal

import torch
import torch.distributed as dist
from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.distributed import GradBucket
from torch.futures import Future
from torch.nn import Parameter
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.base import CONFIG, Algorithm, NonFiniteError
from liecbench.algorithms.comm.exchange import Exchange, NonFiniteMessageError
from liecbench.algorithms.comm.group_exchange import GroupExchange
from liecbench.algorithms.comm.partition import Block, BlockOrder, ServerPlace, plan_blocks
from liecbench.algorithms.comm.schedule import Schedule
from liecbench.algorithms.comm.worker_thread import CallingThread, CommunicationThread, stream_for
from liecbench.algorithms.compression_error import relative_square_error
from liecbench.algorithms.ddp_parameters import finds_unused
from liecbench.algorithms.memories_before import MemoriesBefore
from liecbench.algorithms.memory import Memory, declared_memories
from liecbench.algorithms.pending_buckets import PendingBuckets
from liecbench.algorithms.recorded_schedule import recorded_schedule
from liecbench.compressors.base import Compressor

_SMALLEST_BUCKET_BYTES: Final = 2**20


@dataclass(kw_only=True, eq=False, config=CONFIG)
class BlockAlgorithm(Algorithm):
    """A method that handles the gradient block by block: ``reduce`` returns the update of one block.

    A subclass implements ``reduce``, and may override ``push_compressor``, ``compressor_input``, ``before_reduce`` and
    ``after_step``. It declares its memories, tensors that it keeps from step to step, as class attributes
    (``error = WorkerMemory()``, ``server_error = ServerMemory()``). If a method averages through a server, its base
    class should be ``ServerAlgorithm``. A method without a server calls ``exchange.gather``.

    ``reduce`` and ``after_step`` must make the same calls of ``exchange`` on every rank. They must not read a tensor's
    values on the host (``.item()``, ``if tensor``), because ``schedule`` runs both on tensors without values.

    Attributes:
        block_order: The order in which the model's parameters fill the blocks: ``backward`` is from the last parameter
            to the first, and ``forward`` from the first to the last. The order decides only at which parameter a block
            ends.
        is_elementwise: True if ``reduce`` and ``after_step`` compute each element of a vector independently of the
            other elements (no sum, no norm), except in calls of ``exchange``. ``liecbench theory`` rejects all
            methods for which ``is_elementwise`` is False.
        exchange: Sends vectors to every rank (``gather``), or to the server (``push``) and back (``pull``).
        blocks: The model's blocks.
    """

    block_bytes: Annotated[int, Ge(1)] | Literal["whole"] = 25 * 2**20
    block_order: BlockOrder = "backward"
    supports_pacing: ClassVar[bool] = True
    is_elementwise: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.exchange: Exchange
        self.blocks: list[Block] = []
        self.allocated: dict[str, Memory] = {}
        self._scratch = torch.empty(0)

    @abstractmethod
    def reduce(self, block: Block) -> Tensor:
        """Return the update of a block. Called on the communication thread, for one block after the other.

        An implementation writes its memories only after the last ``exchange.pull`` or ``exchange.gather``. These raise
        an error if a gradient is not finite, so that the memories stay finite.

        Args:
            block: ``block.gradient`` is this worker's gradient, of shape ``[block.numel]``; it may be overwritten.

        Returns:
            The update, which replaces the gradient and has the same shape.
        """

    @property
    def server_place(self) -> ServerPlace | None:
        """The place of the server; None if every rank sends to all other ranks, without a server.

        ``root``: rank 0 is the server. ``sharded``: every rank is the server of one shard.
        """
        return None

    @property
    def bucket_bytes(self) -> int | Literal["whole"]:
        """The best size of DDP's buckets in bytes: an eighth of a block, but at least 1 MiB and at most a block.

        The size is ``whole`` if the whole gradient is one block.
        """
        # DDP fills buckets in the order in which gradients become ready. Blocks follow the model's order of parameters.
        # So a large bucket would mix gradients of several blocks, and each of these blocks would wait until the whole
        # bucket is ready.
        size = self.largest_block
        return "whole" if size == "whole" else min(size, max(_SMALLEST_BUCKET_BYTES, size // 8))

    @property
    def largest_block(self) -> int | Literal["whole"]:
        """The largest size of a block in bytes, or ``whole`` if the whole gradient is one block.

        The size is ``block_bytes``, unless a subclass overrides this property.
        """
        return self.block_bytes

    def push_compressor(self, step: int) -> Compressor | None:
        """Return the compressor of the messages that workers send in step number ``step``; None by default.

        ``compression_error`` measures the error of this compressor on ``compressor_input``. If ``push_compressor``
        returns None, ``compression_error`` returns None, too.
        """
        return None

    @property
    def sampled_step(self) -> int:
        """The number of a step, counted from 0. ``compression_error`` measures the compressor of this step.

        The number is 0. A subclass whose compressor changes during training overrides this property.
        """
        return 0

    def compressor_input(self, block: Block) -> Tensor:
        """Return the vector of shape ``[block.numel]`` that this worker compresses for a block.

        The caller may overwrite the vector. By default, the vector is ``block.gradient`` itself, not a copy. An
        override may return memory from ``scratch``, which the next call of ``scratch`` may return again.
        """
        return block.gradient

    def before_reduce(self, block: Block) -> None:
        """Change a block's memories just before ``reduce`` is called for the block. By default, do nothing.

        An override must not send messages.
        """
        return

    def scratch(self, numel: int) -> Tensor:
        """Return uninitialised float32 memory of shape ``[numel]``; all calls share the same memory."""
        if self._scratch.numel() < numel:
            self._scratch = torch.empty(numel, device=self.device)
        return self._scratch[:numel]

    def average_models(self) -> None:
        """If the method has local models, replace each worker's model by the mean of all models. Collective.

        The mean is computed in full precision.

        Raises:
            NonFiniteError: If the mean is not finite.
        """
        if not self.local_models:
            return
        self._non_finite_message = f"step {self.step}: the models are not finite"
        try:
            self._thread.run(self._average_blocks)
        except NonFiniteMessageError:
            self._failure = NonFiniteError(self._non_finite_message)
            raise self._failure from None

    def memories(self) -> dict[str, list[Tensor]]:
        """Return, for each memory that the class declares, its name and a list of tensors, one per block."""
        return {name: memory.tensors for name, memory in self.allocated.items()}

    def schedule(self, shapes: Sequence[torch.Size], *, world_size: int, step: int) -> Schedule:
        """Return the messages of step number ``step``, by running ``reduce`` and ``after_step`` on the meta device.

        ``shapes`` are those of the trainable parameters, and ``world_size`` is the number of ranks.
        """
        return recorded_schedule(self, shapes, world_size=world_size, step=step)

    def set_up(self, named: list[tuple[str, Parameter]], exchange: Exchange) -> None:
        """Plan the blocks and allocate the memories.

        Until ``on_attach`` starts the communication thread, the method communicates on the calling thread.

        Args:
            named: The names and parameters whose gradients the method averages.
            exchange: The exchange that the method uses.
        """
        self._thread: CommunicationThread | CallingThread = CallingThread()
        self.exchange, self._scratch = exchange, torch.empty(0)
        named = [(name, parameter) for name, parameter in named if parameter.numel()]
        self.blocks = [
            Block(index=i, names=[named[j][0] for j in indices], parameters=[named[j][1] for j in indices])
            for i, indices in enumerate(self._plan([p.numel() for _, p in named]))
        ]
        declared = declared_memories(type(self))
        self.allocated = {memory.name: memory.allocate(exchange, self.blocks, self.device) for memory in declared}

    def on_attach(self, ddp: DistributedDataParallel, group: dist.ProcessGroup) -> None:
        """Plan the blocks, allocate the method's memories, such as residuals, and start the communication thread."""
        self._ddp = ddp
        self._non_finite_message = ""
        exchange = GroupExchange(
            group,
            self.server_place or "sharded",
            self._stopwatch(),
            pacer=self.pacer,
            path=self.path,
            device=self.device,
            on_flag=lambda flag: self._finite_check.submit(flag, self._non_finite_message),
        )
        self.set_up(self._managed, exchange)
        self._stream = stream_for(self.device)
        self._thread = CommunicationThread(self._stream)
        self._buckets = PendingBuckets(self.blocks)
        self._num_reduced = 0
        self._memories_before = MemoriesBefore(self.allocated, self.blocks)

    def reduce_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        """Queue a bucket of gradients for the communication thread, and return a future of the bucket's buffer.

        The future completes when the updates that ``reduce`` returns have replaced the gradients in the buffer, or when
        the method fails.
        """
        future: Future[Tensor] = Future(devices=self._stream.devices)
        parameters, gradients, buffer = bucket.parameters(), bucket.gradients(), bucket.buffer()
        self._thread.submit(lambda: self._receive(parameters, gradients, buffer, future))
        return future

    def restore_memories(self, parameters: list[Parameter]) -> None:
        """Undo the changes that ``reduce`` made in this step to the memories of ``parameters``."""
        if self._memories_before:
            self._thread.run(lambda: self._memories_before.restore(parameters))

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """Replace local models by their mean while the ``with`` body runs, then restore them. Collective."""
        self._require_attached("evaluation")
        self.synchronize()
        if not self.local_models:
            yield
            return
        local = [block.flat_parameters() for block in self.blocks]
        try:
            self.average_models()
            self.synchronize()
            yield
        finally:
            for block, flat in zip(self.blocks, local, strict=True):
                block.set_parameters(flat)

    def compression_error(self) -> float | None:
        """Return ‖v − C(v)‖²/‖v‖² for the vector v that the method would compress now. C is the compressor.

        v is computed from the gradients that the parameters hold, and from the memories (tensors kept from step to
        step). The call changes no state. Return None if the method does not compress v, or if v is zero.
        """
        compressor = self.push_compressor(self.sampled_step)
        if compressor is None:
            return None
        return relative_square_error(self._compressor_inputs(), lambda vector: self.keep_residual(compressor, vector))

    def _compressor_inputs(self) -> Iterator[Tensor]:
        for block in self.blocks:
            for parameter in block.parameters:
                gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
                block.add_gradient(parameter, gradient)
            block.gather()
            yield self.compressor_input(block)
            block.release()

    def keep_residual(self, compressor: Compressor, vector: Tensor) -> None:
        """Replace ``vector`` by what compression loses: ``vector`` − C(``vector``), where C is ``compressor``.

        With a server, C compresses each shard separately, as in ``exchange.push``. Without a server, C compresses the
        whole vector, as in ``exchange.gather``.
        """
        if self.server_place is None:
            compressor.compress(vector, residual=vector)
        else:
            self.exchange.keep_residual(compressor, vector)

    def on_detach(self) -> None:
        """Stop the communication thread."""
        self._thread.close()

    def _plan(self, numels: list[int]) -> list[list[int]]:
        """Return for each block the indices of its tensors; ``numels`` has the number of elements of each tensor."""
        return plan_blocks(numels, self.largest_block, self.block_order)

    def _receive(
        self, parameters: list[Tensor], gradients: list[Tensor], buffer: Tensor, future: Future[Tensor]
    ) -> None:
        try:
            for block in self._buckets.add(parameters, gradients, buffer, future):
                if self._failure is None:
                    self._reduce(block)
        except BaseException as error:
            self._failure = error
        if self._failure is not None:
            self._buckets.abandon()
            if not future.done():
                future.set_result(buffer)

    def _reduce(self, block: Block) -> None:
        block.gather()
        self.exchange.begin(self.step, block.index)
        names = f"{block.names[-1]} … {block.names[0]}" if len(block.names) > 1 else block.names[0]
        self._non_finite_message = f"step {self.step}: gradients of block {block.index} ({names}) are not finite"
        try:
            self.before_reduce(block)
            # After before_reduce, because memories stay rescaled to a new learning rate even if a parameter is unused.
            if finds_unused(self._ddp):
                self._memories_before.keep(block)
            block.scatter(self.reduce(block))
        except NonFiniteMessageError:
            raise NonFiniteError(self._non_finite_message) from None
        self._num_reduced += 1
        if self._num_reduced == len(self.blocks):
            self._num_reduced = 0
            self.step += 1
        self._buckets.finish_block(block.index)

    def _average_blocks(self) -> None:
        for block in self.blocks:
            block.set_parameters(self.exchange.mean(block.flat_parameters()))
