"""The base class of methods that exchange gradients during the backward pass, block by block."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.distributed import GradBucket
from torch.futures import Future
from torch.nn import Parameter
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.base import CONFIG, NonFiniteError
from liecbench.algorithms.block_method import BlockMethod
from liecbench.algorithms.comm.exchange import Exchange, NonFiniteMessageError
from liecbench.algorithms.comm.group_exchange import GroupExchange
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.comm.worker_thread import CallingThread, CommunicationThread, stream_for
from liecbench.algorithms.ddp_parameters import finds_unused
from liecbench.algorithms.memories_before import MemoriesBefore
from liecbench.algorithms.pending_buckets import PendingBuckets


@dataclass(kw_only=True, eq=False, config=CONFIG)
class BlockAlgorithm(BlockMethod):
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

    def set_up(self, named: list[tuple[str, Parameter]], exchange: Exchange) -> None:
        """Plan the blocks and allocate the memories, and communicate on the calling thread until ``on_attach``."""
        self._thread: CommunicationThread | CallingThread = CallingThread()
        super().set_up(named, exchange)

    def average_models(self) -> None:
        """If the method has local models, replace each worker's model by the mean of all models. Collective.

        The mean is computed in full precision.

        Raises:
            NonFiniteError: If the mean is not finite.
        """
        if not self.local_models:
            return
        last_step = max(self.step - 1, 0)  # the step count includes the step that ends now
        self._non_finite_message = f"step {last_step}: the models are not finite"
        try:
            self._thread.run(self._average_blocks)
        except NonFiniteMessageError:
            self._failure = NonFiniteError(self._non_finite_message)
            raise self._failure from None

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
    def mean_model(self) -> Iterator[None]:
        """Replace local models by their mean while the ``with`` body runs, then restore them. Collective."""
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

    def on_detach(self) -> None:
        """Stop the communication thread."""
        self._thread.close()

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
