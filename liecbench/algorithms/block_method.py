"""The computation of a method that handles the gradient block by block: its update, its memories and its messages."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Final, Literal

import torch
from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import Parameter

from liecbench.algorithms.base import CONFIG, Algorithm
from liecbench.algorithms.comm.exchange import Exchange
from liecbench.algorithms.comm.partition import Block, BlockOrder, ServerPlace, plan_blocks
from liecbench.algorithms.comm.schedule import Schedule
from liecbench.algorithms.compression_error import relative_square_error
from liecbench.algorithms.memory import Memory, declared_memories
from liecbench.algorithms.recorded_schedule import recorded_schedule
from liecbench.compressors.base import Compressor

_SMALLEST_BUCKET_BYTES: Final = 2**20


@dataclass(kw_only=True, eq=False, config=CONFIG)
class BlockMethod(Algorithm):
    """The computation of a method, block by block, without the threads and DDP of ``BlockAlgorithm``.

    Without threads and DDP, the computation also runs on tensors without values (``schedule``) and on simulated
    workers. ``BlockAlgorithm`` explains the attributes.
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

        Args:
            named: The names and parameters whose gradients the method averages.
            exchange: The exchange that the method uses.
        """
        self.exchange, self._scratch = exchange, torch.empty(0)
        named = [(name, parameter) for name, parameter in named if parameter.numel()]
        self.blocks = [
            Block(index=i, names=[named[j][0] for j in indices], parameters=[named[j][1] for j in indices])
            for i, indices in enumerate(self._plan([p.numel() for _, p in named]))
        ]
        declared = declared_memories(type(self))
        self.allocated = {memory.name: memory.allocate(exchange, self.blocks, self.device) for memory in declared}

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

    def _plan(self, numels: list[int]) -> list[list[int]]:
        """Return for each block the indices of its tensors; ``numels`` has the number of elements of each tensor."""
        return plan_blocks(numels, self.largest_block, self.block_order)
