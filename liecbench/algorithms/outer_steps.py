"""The base class of methods that train alone for some steps, and whose outer optimizer then moves a common model."""

import functools
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Future as ThreadFuture
from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Gt, Lt
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.distributed import GradBucket
from torch.futures import Future
from torch.nn import Parameter

from liecbench.algorithms.base import CONFIG, NonFiniteError
from liecbench.algorithms.block_algorithm import BlockAlgorithm
from liecbench.algorithms.comm.exchange import Exchange, NonFiniteMessageError
from liecbench.algorithms.comm.partition import Block, plan_blocks
from liecbench.algorithms.fragments import FragmentTimes, cut_fragments
from liecbench.algorithms.memory import WorkerMemory, square_norm


@plain_dataclass(frozen=True, slots=True, kw_only=True)
class _UnderWay:
    """Blocks whose mean is computed in the background: ``means`` hold it when ``done`` is complete."""

    blocks: list[Block]
    means: list[Tensor]
    done: "ThreadFuture[None]"


@dataclass(kw_only=True, eq=False, config=CONFIG)
class OuterSteps(BlockAlgorithm):
    """A method whose workers take ``sync_every`` steps of their own optimizer, and then one step of the outer one.

    The outer optimizer is SGD with Nesterov momentum. It moves the outer model, which is equal on all workers, and its
    gradient is the mean of the workers' pseudo-gradients, outer model − local model. Workers then go on from the outer
    model. The states of their own optimizers stay local. Evaluation uses the mean of the local models.

    Attributes:
        sync_every: The number of local steps between two outer steps of a fragment.
        outer_lr: The learning rate of the outer optimizer.
        outer_momentum: The momentum of the outer optimizer.
        fragments: The number of parts of the model that take turns, at equal distances, within ``sync_every`` steps.
            Each has consecutive whole tensors.
        delay: The number of steps before a fragment's outer step at which it is sent. Training goes on meanwhile.
        mix: The share of the local model in the model with which a worker goes on after an outer step.
        outer_model: θ̄, the outer model.
        momentum: b, the momentum of the outer optimizer; not kept if ``outer_momentum`` is 0.
    """

    sync_every: Annotated[int, Ge(1)] = 32
    outer_lr: Annotated[float, Gt(0)] = 0.7
    outer_momentum: Annotated[float, Ge(0), Lt(1)] = 0.9
    fragments: Annotated[int, Ge(1)] = 1
    delay: Annotated[int, Ge(0)] = 0
    mix: Annotated[float, Ge(0), Lt(1)] = 0.0
    local_models: ClassVar[bool] = True
    outer_model = WorkerMemory()
    momentum = WorkerMemory()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._times = FragmentTimes(sync_every=self.sync_every, num_fragments=self.fragments, delay=self.delay)
        if problem := self._times.problem():
            raise ValueError(problem)
        self._steps_seen = 0
        self._has_outer_model = False
        self._under_way: _UnderWay | None = None
        self._fragments: list[list[Block]] = []

    @abstractmethod
    def average(self, block: Block, pseudo_gradient: Tensor) -> None:
        """Replace a block's pseudo-gradient by its mean over the workers. Called on the communication thread.

        Args:
            block: The block.
            pseudo_gradient: Outer model − local model, of shape ``[block.numel]``; receives the mean.
        """

    def to_compress(self, block: Block, pseudo_gradient: Tensor) -> Tensor:
        """Return the vector that a worker compresses for a block; may be ``pseudo_gradient``, or in scratch memory."""
        return pseudo_gradient

    @property
    def average_period(self) -> int:
        """The number of steps after which step kinds repeat."""
        return self.sync_every

    @property
    def overlapped_steps(self) -> int:
        """The number of steps that compute while a fragment is under way."""
        return self.delay

    def step_kind(self, step: int) -> str:
        """Return ``local``, or for a step after which fragment p is sent ``outer_p`` (``outer`` if there is one)."""
        fragment = self._times.sent_after(step)
        if fragment is None:
            return "local"
        return "outer" if self.fragments == 1 else f"outer_{fragment}"

    def incompatible_model(self, shapes: Sequence[torch.Size]) -> str | None:
        """Return a reason if the model has fewer tensors than there are ``fragments``, else None."""
        num_tensors = sum(shape.numel() > 0 for shape in shapes)
        if self.fragments <= num_tensors:
            return None
        return (
            f"fragments {self.fragments} is more than the {num_tensors} parameter tensors of the model, and a fragment "
            f"has whole tensors; write fragments {num_tensors} or fewer"
        )

    def reduce(self, block: Block) -> Tensor:
        """Return worker i's own gradient: nothing is sent."""
        return block.gradient

    def reduce_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        """Return a bucket as it is, at once, so that what is sent in the background does not delay local steps."""
        future: Future[Tensor] = Future(devices=self._stream.devices)
        future.set_result(bucket.buffer())
        if bucket.is_last():
            self.step += 1
        return future

    def before_step(self) -> None:
        """Before the first step, copy the model: it is the first outer model."""
        if not self._has_outer_model:
            self._has_outer_model = True
            for block in self.blocks:
                self.outer_model[block].copy_(block.flat_parameters())

    def after_step(self) -> None:
        """Send and apply the fragments that are due after the steps since the last call."""
        first, self._steps_seen = self._steps_seen, self.step
        for step in range(first, self.step):
            if self.delay and self._times.applied_after(step) is not None:
                self._apply()
            fragment = self._times.sent_after(step)
            if fragment is not None:
                self._apply()  # what set_step has left
                self._send(self._fragments[fragment], step)

    def synchronize(self) -> None:
        """Wait for the GPU, if there is one, and until nothing is sent in the background; complete all counts.

        Call it between two steps.

        Raises:
            NonFiniteError: If a gradient or a model of a past step is not finite.
        """
        self._wait()
        super().synchronize()

    def complete_spans(self) -> None:
        """Complete the spans of past steps, without waiting for what is sent in the background."""
        super().synchronize()

    def compression_error(self) -> float | None:
        """Return ‖v − C(v)‖²/‖v‖² for the vector v that the method would compress now, or None if it is undefined.

        v is the pseudo-gradient, with what an error memory adds. The call changes no state.
        """
        compressor = self.push_compressor(self.step)
        if compressor is None or not self._has_outer_model:
            return None
        self.synchronize()
        residual = total = 0.0
        for block in self.blocks:
            vector = self.to_compress(block, self._pseudo_gradient(block))
            total += square_norm(vector)
            self.keep_residual(compressor, vector)
            residual += square_norm(vector)
        return residual / total if total else None

    def own_state(self) -> dict[str, Any]:
        """Return the step counts, the memories, and the mean pseudo-gradients of a fragment that is under way."""
        self._wait()
        means: dict[str, Tensor] = {}
        if self._under_way is not None:
            indices = [str(block.index) for block in self._under_way.blocks]
            means = dict(zip(indices, self._under_way.means, strict=True))
        counts = {"steps_seen": self._steps_seen, "has_outer_model": self._has_outer_model}
        return {**super().own_state(), **counts, "under_way": means}

    def load_own_state(self, state: Mapping[str, Any]) -> None:
        """Restore what ``own_state`` returned.

        Raises:
            ValueError: If the saved memories differ from this algorithm's in their names or shapes.
        """
        self._wait()
        super().load_own_state(state)
        self._steps_seen, self._has_outer_model = state["steps_seen"], state["has_outer_model"]
        self._under_way = None
        if state["under_way"]:
            blocks = [self.blocks[int(index)] for index in state["under_way"]]
            means = [mean.to(self.device, copy=True) for mean in state["under_way"].values()]
            done: ThreadFuture[None] = ThreadFuture()
            done.set_result(None)
            self._under_way = _UnderWay(blocks=blocks, means=means, done=done)

    def set_step(self, step: int) -> None:
        """Set the number of the next step, and keep the memories and a fragment that is under way.

        Call it on every rank, between two steps.
        """
        super().set_step(step)
        self._steps_seen = step

    def _set_up(self, named: list[tuple[str, Parameter]], exchange: Exchange) -> None:
        self._under_way = None
        super()._set_up(named, exchange)
        if not self.outer_momentum:
            del self.allocated["momentum"]
        parameters = [parameter for _, parameter in named if parameter.numel()]
        cut = cut_fragments([parameter.numel() for parameter in parameters], self.fragments)
        members = [{parameters[index] for index in fragment} for fragment in cut]
        self._fragments = [[block for block in self.blocks if block.parameters[0] in own] for own in members]

    def _plan(self, numels: list[int]) -> list[list[int]]:
        """Assign tensors to blocks, each within one fragment, from the last tensor to the first."""
        cut = cut_fragments(numels, self.fragments)
        planned = [
            [
                [fragment[place] for place in block]
                for block in plan_blocks([numels[i] for i in fragment], self.largest_block)
            ]
            for fragment in reversed(cut)
        ]
        return [block for blocks in planned for block in blocks]

    def _pseudo_gradient(self, block: Block) -> Tensor:
        local = block.flat_parameters()
        return torch.sub(self.outer_model[block], local, out=local)

    def _send(self, blocks: list[Block], step: int) -> None:
        """Send blocks in the background; without delay, send and apply one after the other, which saves memory."""
        self._non_finite_message = f"step {step}: the models are not finite"
        for group in [blocks] if self.delay else [[block] for block in blocks]:
            means = [self._pseudo_gradient(block) for block in group]
            done = self._thread.start(functools.partial(self._average, group, means, step))
            self._under_way = _UnderWay(blocks=group, means=means, done=done)
            if not self.delay:
                self._apply()

    def _average(self, blocks: list[Block], pseudo_gradients: list[Tensor], step: int) -> None:
        for block, pseudo_gradient in zip(blocks, pseudo_gradients, strict=True):
            self.exchange.begin(step, block.index)
            self.average(block, pseudo_gradient)

    def _wait(self) -> None:
        """Wait until nothing is under way. Raises NonFiniteError if what was sent is not finite."""
        if self._under_way is None or self._failure is not None:
            return
        try:
            self._thread.wait(self._under_way.done)
        except NonFiniteMessageError:
            self._failure = NonFiniteError(self._non_finite_message)
            raise self._failure from None
        except BaseException as error:
            self._failure = error
            raise

    def _apply(self) -> None:
        """Wait for the fragment that is under way, if there is one, and make its outer step."""
        self._wait()
        if self._under_way is None:
            return
        under_way, self._under_way = self._under_way, None
        for block, mean in zip(under_way.blocks, under_way.means, strict=True):
            self._outer_step(block, mean)

    def _outer_step(self, block: Block, mean: Tensor) -> None:
        """Compute b ← μb + Δ; θ̄ ← θ̄ − η(Δ + μb); θ_i ← (1 − α)θ̄ + αθ_i.

        Δ is ``mean``, the mean pseudo-gradient; μ, η and α are ``outer_momentum``, ``outer_lr`` and ``mix``.
        """
        outer = self.outer_model[block]
        if self.outer_momentum:
            momentum = self.momentum[block].mul_(self.outer_momentum).add_(mean)
            mean.add_(momentum, alpha=self.outer_momentum)
        outer.add_(mean, alpha=-self.outer_lr)
        block.set_parameters(torch.lerp(outer, block.flat_parameters(), self.mix, out=mean) if self.mix else outer)
