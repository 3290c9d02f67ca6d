"""1-bit Adam: Adam at first, then a fixed second moment and a momentum of one bit per entry."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import torch
import torch.distributed as dist
from annotated_types import Ge, Gt, Lt
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from liecbench.algorithms.base import CONFIG, RunLengthError
from liecbench.algorithms.comm.partition import Block
from liecbench.algorithms.memory import ServerMemory, WorkerMemory
from liecbench.algorithms.method_notes import MethodNotes
from liecbench.algorithms.optimizers import not_plain_sgd
from liecbench.algorithms.server import ServerAlgorithm
from liecbench.compressors.sign import SignL2


@dataclass(kw_only=True, eq=False, config=CONFIG)
class OneBitAdam(ServerAlgorithm):
    """1-bit Adam (Tang et al. 2021, arXiv 2102.02888): m ← C(mean(C(β₁m + (1 − β₁)g_i + e_i)) + e); u = m / (√v + ε).

    g_i is worker i's gradient, m the momentum, v the second moment, C the compressor sign_l2, e_i and e the error
    memories of worker i and the server, and u the update. In the first ``freeze_step`` steps the workers average dense
    gradients and update m and v as in Adam, without bias correction; afterwards v no longer changes.

    The optimizer must be SGD without momentum. Set its learning rate as for Adam; its weight decay is decoupled, as in
    AdamW. Parameters whose gradient is mostly 0 have a small v, so that their updates can be too large. If so, use a
    later ``freeze_step``, a larger ``eps`` such as 1e-4, or a lower learning rate.

    Attributes:
        freeze_step: The number of steps after which v no longer changes. A value below 1 is a fraction of the run's
            steps. Only scenarios allow it, because ``attach`` does not know the run's length.
        beta1: The decay β₁ of the momentum.
        beta2: The decay β₂ of the second moment.
        eps: The constant ε.
        mask_zero_momentum: Whether an entry whose gradient was always 0 in the first ``freeze_step`` steps gets the
            momentum 0 and the update 0 in all later steps. One bit cannot send a 0.
    """

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends="until `freeze_step` the gradient, dense, both ways; afterwards the momentum by sign_l2, both ways",
        remembers="every worker the moments m and v and its error e_i; every server its error e",
        source="1-bit Adam (Tang et al. 2021, arXiv 2102.02888), DeepSpeed's `OnebitAdam`",
        differs="`freeze_step` is 15 % of the run's steps by default; DeepSpeed's is 100,000 steps",
    )

    clipping_refusal: ClassVar[str | None] = (
        "its update is m / (√v + ε), whose norm does not depend on the gradient's, and clipping would only make its "
        "steps shorter; lower the learning rate, or take a larger eps"
    )

    freeze_step: Annotated[int, Ge(1)] | Annotated[float, Gt(0), Lt(1)] = 0.15
    beta1: Annotated[float, Ge(0), Lt(1)] = 0.9
    beta2: Annotated[float, Ge(0), Lt(1)] = 0.999
    eps: Annotated[float, Gt(0)] = 1e-8
    mask_zero_momentum: bool = True
    cpu_kernels: ClassVar[tuple[str, ...]] = SignL2.cpu_kernels
    exp_avg = WorkerMemory()
    exp_avg_sq = WorkerMemory()
    error = WorkerMemory()
    server_error = ServerMemory()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._num_warmup_steps = self.freeze_step if isinstance(self.freeze_step, int) else None

    @property
    def start_up_steps(self) -> int:
        """The number of uncompressed steps at the start of training: ``freeze_step``.

        If ``freeze_step`` is a fraction of the run's steps, the number is 1 until ``set_run_length`` is called.
        """
        return self._num_warmup_steps or 1

    def set_run_length(self, *, steps_per_epoch: int, num_epochs: int) -> None:
        """Compute the number of uncompressed steps, if ``freeze_step`` is a fraction of the run's steps.

        The number is at least 1. ``freeze_step`` itself does not change.

        Raises:
            RunLengthError: If the run has more than one step, but ends before its first compressed step.
        """
        num_steps, freeze_step = steps_per_epoch * num_epochs, self.freeze_step
        if isinstance(freeze_step, float):
            freeze_step = max(1, round(freeze_step * num_steps))
        self._num_warmup_steps = freeze_step
        if freeze_step >= num_steps > 1:
            raise RunLengthError(
                "freeze_step",
                f"the run has {num_steps} steps, and would end before it sends one bit per entry; write freeze_step: "
                f"{max(1, round(0.15 * num_steps))}, or remove it to take 15 % of the steps",
            )

    def incompatible_optimizer(self, name: str, options: Mapping[str, object]) -> str | None:
        """Return None if the optimizer is SGD without momentum, else the reason why it cannot be used."""
        if name != "sgd":
            return (
                f"it is an Adam itself, whose update plain SGD applies, and the optimizer is {name}; "
                "write optimizer: sgd, with the learning rate of Adam"
            )
        return not_plain_sgd(name, options, own_momentum=f"beta1: {self.beta1}")

    def step_kind(self, step: int) -> str:
        """Return ``warmup`` before ``freeze_step``, else ``compressed``."""
        return "warmup" if step < self.start_up_steps else "compressed"

    @property
    def sampled_step(self) -> int:
        """The number of the next step, counted from 0. ``compression_error`` measures the compressor of this step.

        If the step does not compress, ``compression_error`` returns None.
        """
        return self.step

    def push_compressor(self, step: int) -> SignL2 | None:
        """Return sign_l2, or None if step number ``step`` does not compress."""
        return None if self.step_kind(step) == "warmup" else SignL2()

    def compressor_input(self, block: Block) -> Tensor:
        """Return the vector that this worker compresses, β₁m + (1 − β₁)g_i + e_i, in scratch memory.

        m is the momentum, g_i this worker's gradient and e_i its error memory.
        """
        new = torch.mul(block.gradient, 1 - self.beta1, out=self.scratch(block.numel))
        return new.add_(self.exp_avg[block], alpha=self.beta1).add_(self.error[block])

    def reduce(self, block: Block) -> Tensor:
        """Update the memories of a block, and return the block's update u = m / (√v + ε).

        m is the momentum, and v the second moment. In the first ``freeze_step`` steps, m and v change. In later steps,
        three memories change: m, the error memory e_i of this worker, and the error memory e of the server.
        """
        if self.step_kind(self.step) == "warmup":
            return self._warm_up(block)
        m, v = self.exp_avg[block], self.exp_avg_sq[block]
        p = self.compressor_input(block)
        mean = self.exchange.push(SignL2(), p, residual=p)
        new = self.exchange.pull(SignL2(), mean, error=self.server_error[block], out=block.gradient)
        self.error[block].copy_(p)
        if self.mask_zero_momentum:
            new.mul_(torch.ne(v, 0.0, out=p))
        m.copy_(new)
        return new.div_(torch.sqrt(v, out=p).add_(self.eps))

    def on_attach(self, ddp: DistributedDataParallel, group: dist.ProcessGroup) -> None:
        """Prepare for training as ``BlockAlgorithm`` does.

        Raises:
            ValueError: If ``freeze_step`` is a fraction, and ``set_run_length`` was not called.
        """
        if self._num_warmup_steps is None:
            message = (
                f"OneBitAdam does not know the length of the run, of which freeze_step={self.freeze_step} is a part"
            )
            raise ValueError(f"{message}; write OneBitAdam(freeze_step=…) with a number of steps")
        super().on_attach(ddp, group)

    def _warm_up(self, block: Block) -> Tensor:
        """Average the gradients without compression, update the moments m and v of Adam, and return the update.

        With the mean gradient g, m ← β₁m + (1 − β₁)g and v ← β₂v + (1 − β₂)g². The update is m / (√v + ε).
        """
        m, v = self.exp_avg[block], self.exp_avg_sq[block]
        g = self.exchange.mean(block.gradient)
        m.mul_(self.beta1).add_(g, alpha=1 - self.beta1)
        v.mul_(self.beta2).addcmul_(g, g, value=1 - self.beta2)
        return torch.div(m, torch.sqrt(v, out=self.scratch(block.numel)).add_(self.eps), out=g)
