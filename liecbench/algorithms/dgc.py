"""Deep gradient compression: workers send the largest entries of an accumulated momentum, to all other workers."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal

import torch
import torch.distributed as dist
from annotated_types import Ge, Gt, Le, Lt
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.block_algorithm import BlockAlgorithm
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.memory import WorkerMemory
from liecbench.algorithms.method_notes import MethodNotes
from liecbench.algorithms.optimizers import not_plain_sgd
from liecbench.compressors.sparsity import Ratio
from liecbench.compressors.top_k import TopK

# The ratios of the first epochs.
_WARMUP_RATIOS: Final = (0.25, 0.0625, 0.015625, 0.004)
_TINY: Final = 1e-6


@dataclass(kw_only=True, eq=False, config=CONFIG)
class DGC(BlockAlgorithm):
    """Deep gradient compression (Lin et al. 2018, arXiv 1712.01887): send the largest entries of accumulated momentum.

    For worker i, g_i is the gradient, u_i the momentum, and v_i the accumulated momentum that the worker has not sent
    yet. C keeps the entries of largest magnitude of each block. In a step, u_i ← m·u_i + g_i and v_i ← v_i + u_i; the
    update is mean(C(v_i)), the mean over workers. Then the entries that worker i sent become 0 in v_i and, if
    ``momentum_masking`` is true, in u_i. Every worker sends to every other worker, without a server. The optimizer
    must be SGD without momentum. Weight decay is added to the update, and not to u_i.

    Attributes:
        ratio: The fraction of the entries that is sent.
        momentum: The factor m.
        momentum_masking: Whether u_i becomes 0 at the entries that were sent (momentum factor masking).
        clip_norm: The limit for the norm of the mean gradient; None for no limit. If set, each of W workers clips its
            gradient to the norm ``clip_norm`` / √W, and the whole gradient is one block.
        warmup_epochs: The number of epochs of the warm-up, from 0 to 4. Epoch 1 sends 0.25 of the entries, epoch 2
            0.0625, epoch 3 0.015625 and epoch 4 0.004. No epoch sends a smaller fraction than ``ratio``.
        steps_per_epoch: The number of steps per epoch, which a warm-up needs. If None in a scenario, the number comes
            from the scenario's task.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends="the largest entries of v_i, with positions, to every other worker",
        remembers="every worker its velocity u_i and the accumulated velocity v_i",
        source="Deep gradient compression (Lin et al. 2018, arXiv 1712.01887)",
        differs=(
            "the largest entries are exact and of a block of several tensors, not estimated from a sample of each "
            "tensor"
        ),
    )

    ratio: Ratio = 0.001
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9
    momentum_masking: bool = True
    clip_norm: Annotated[float, Gt(0)] | None = None
    warmup_epochs: Annotated[int, Ge(0), Le(len(_WARMUP_RATIOS))] = len(_WARMUP_RATIOS)
    steps_per_epoch: Annotated[int, Ge(1)] | None = None
    cpu_kernels: ClassVar[tuple[str, ...]] = TopK.cpu_kernels
    clipping_refusal: ClassVar[str | None] = (
        "its update is the momentum of many steps, and what is clipped from it would be lost; give the method the "
        "option clip_norm, by which each worker clips its own gradient"
    )
    velocity = WorkerMemory()
    error = WorkerMemory()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._steps_per_epoch = self.steps_per_epoch

    @property
    def largest_block(self) -> int | Literal["whole"]:
        """The largest size of a block in bytes, or ``whole`` if the whole gradient is one block.

        If the gradient is clipped, the size is ``whole``, because clipping needs the norm of the whole gradient.
        Otherwise, the size is ``block_bytes``, which may also be ``whole``.
        """
        return self.block_bytes if self.clip_norm is None else "whole"

    @property
    def start_up_steps(self) -> int:
        """The number of steps in the first ``warmup_epochs`` epochs."""
        return self.warmup_epochs * (self._steps_per_epoch or 1)

    def set_run_length(self, *, steps_per_epoch: int, num_epochs: int) -> None:
        """Set the number of steps per epoch, unless the option ``steps_per_epoch`` is set."""
        self._steps_per_epoch = self.steps_per_epoch or steps_per_epoch

    def incompatible_optimizer(self, name: str, options: Mapping[str, object]) -> str | None:
        """Return the reason why DGC cannot use an optimizer; None if the optimizer is SGD without momentum."""
        return not_plain_sgd(name, options, own_momentum=f"momentum: {options.get('momentum')}")

    def step_kind(self, step: int) -> str:
        """Return ``warmup_N`` for a step of epoch N, counted from 1, if N is at most ``warmup_epochs``.

        Return ``compressed`` for all later steps.
        """
        epoch = self._epoch(step)
        return f"warmup_{epoch + 1}" if epoch < self.warmup_epochs else "compressed"

    @property
    def sampled_step(self) -> int:
        """The number of the next step, counted from 0. ``compression_error`` measures the compressor of this step.

        In the warm-up, the compressor may keep a different fraction of the entries in each epoch.
        """
        return self.step

    def push_compressor(self, step: int) -> TopK:
        """Return the compressor of step number ``step``, counted from 0.

        The compressor keeps the fraction ``ratio`` of the entries. In the first epochs, it keeps the larger fraction
        that is described at ``warmup_epochs``.
        """
        epoch = self._epoch(step)
        return TopK(max(self.ratio, _WARMUP_RATIOS[epoch]) if epoch < self.warmup_epochs else self.ratio)

    def compressor_input(self, block: Block) -> Tensor:
        """Return v_i + m·u_i + g_i, the vector that this worker compresses, in scratch memory.

        g_i is this worker's gradient, clipped if ``clip_norm`` is set. u_i is this worker's momentum, m the factor
        ``momentum``, and v_i the sum of what this worker has not sent yet.
        """
        grown = self._accumulated(block)
        return torch.add(self.error[block], grown, out=self.scratch(block.numel))

    def reduce(self, block: Block) -> Tensor:
        """Return the mean of the vectors that the workers send for a block, and update this worker's memories.

        For worker i, g_i is the gradient, clipped if ``clip_norm`` is set. u_i is the momentum, and v_i the sum of what
        the worker has not sent yet. m is the factor ``momentum``. First, u_i ← m·u_i + g_i and v_i ← v_i + u_i. The
        worker sends the entries of v_i with the largest magnitudes. Then these entries become 0 in v_i. If
        ``momentum_masking`` is set, the entries become 0 in u_i, too.
        """
        u, v = self.velocity[block], self.error[block]
        grown = self._accumulated(block)
        scratch = self.scratch(2 * block.numel)
        p, mean = scratch[: block.numel], scratch[block.numel :]
        torch.add(v, grown, out=p)
        self.exchange.gather(self.push_compressor(self.step), p, residual=p, out=mean)
        v.copy_(p)
        if self.momentum_masking:
            torch.mul(grown, torch.ne(p, 0.0, out=p), out=u)
        else:
            u.copy_(grown)
        return mean

    def on_attach(self, ddp: DistributedDataParallel, group: dist.ProcessGroup) -> None:
        """Plan the blocks, allocate the memories and start the communication thread.

        Raises:
            ValueError: If ``warmup_epochs`` is not 0 and the number of steps per epoch is unknown.
        """
        if self.warmup_epochs and self._steps_per_epoch is None:
            message = "DGC sends more in its first epochs, and does not know how many steps an epoch has"
            raise ValueError(f"{message}; write DGC(steps_per_epoch=…), or warmup_epochs=0 for no warm-up")
        super().on_attach(ddp, group)

    def _epoch(self, step: int) -> int:
        """Return the epoch of a step, from 0. If ``steps_per_epoch`` is unknown, every step counts as an epoch."""
        return step // (self._steps_per_epoch or 1)

    def _accumulated(self, block: Block) -> Tensor:
        """Return m·u_i + g_i for a block (symbols as in ``DGC``). The sum overwrites the block's gradient.

        If ``clip_norm`` is set, g_i is clipped before the sum is computed.
        """
        gradient = block.gradient
        if self.clip_norm is not None:
            limit = self.clip_norm / self.exchange.world_size**0.5
            norm = torch.linalg.vector_norm(gradient)
            gradient.mul_((limit / (norm + _TINY)).clamp(max=1.0))
        return gradient.add_(self.velocity[block], alpha=self.momentum)
