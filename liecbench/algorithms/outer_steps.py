"""The base class of methods whose workers train alone for some steps, until an outer optimizer moves a common model."""

import functools
from collections.abc import Mapping, Sequence
from concurrent.futures import Future as ThreadFuture
from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.distributed import GradBucket
from torch.futures import Future
from torch.nn import Parameter

from liecbench.algorithms.base import CONFIG, NonFiniteError
from liecbench.algorithms.comm.exchange import Exchange, NonFiniteMessageError
from liecbench.algorithms.comm.partition import Block, plan_blocks
from liecbench.algorithms.fragments import FragmentTimes, cut_fragments
from liecbench.algorithms.outer_model import OuterModel


@plain_dataclass(frozen=True, slots=True, kw_only=True)
class _UnderWay:
    """Blocks whose pseudo-gradients are averaged in the background; ``means`` is valid once ``done`` is complete."""

    blocks: list[Block]
    means: list[Tensor]
    done: "ThreadFuture[None]"


@dataclass(kw_only=True, eq=False, config=CONFIG)
class OuterSteps(OuterModel):
    """A method whose workers take ``sync_every`` steps of their own optimizer, then one of an outer optimizer.

    The states of the workers' own optimizers stay local. Evaluation uses the mean of the local models.

    Attributes:
        sync_every: The number of local steps between two outer steps of a fragment.
        fragments: The number of fragments of the model, each of consecutive whole tensors. The fragments take turns,
            evenly spaced within ``sync_every`` steps.
        delay: The number of steps between the sending of a fragment and its outer step. Training continues meanwhile.
    """

    sync_every: Annotated[int, Ge(1)] = 32
    fragments: Annotated[int, Ge(1)] = 1
    delay: Annotated[int, Ge(0)] = 0
    local_models: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._times = FragmentTimes(sync_every=self.sync_every, num_fragments=self.fragments, delay=self.delay)
        if problem := self._times.problem():
            raise ValueError(problem)
        self._steps_seen = 0
        self._under_way: _UnderWay | None = None
        self._fragments: list[list[Block]] = []

    @property
    def average_period(self) -> int:
        """The number of steps after which the cycle of step kinds starts again: ``sync_every``."""
        return self.sync_every

    @property
    def overlapped_steps(self) -> int:
        """The number of steps that the ranks compute while a fragment is being exchanged: ``delay``."""
        return self.delay

    def step_kind(self, step: int) -> str:
        """Return ``local`` if nothing is sent after the step, else ``outer_`` and the index of the sent fragment.

        An example is ``outer_2``. If the model is not divided into fragments, return ``outer`` without an index.
        """
        fragment = self._times.sent_after(step)
        if fragment is None:
            return "local"
        return "outer" if self.fragments == 1 else f"outer_{fragment}"

    def incompatible_model(self, shapes: Sequence[torch.Size]) -> str | None:
        """Return an error message if the model has fewer non-empty tensors than ``fragments``, else None."""
        num_tensors = sum(shape.numel() > 0 for shape in shapes)
        if self.fragments <= num_tensors:
            return None
        return (
            f"fragments {self.fragments} is more than the {num_tensors} parameter tensors of the model, and a fragment "
            f"has whole tensors; write fragments {num_tensors} or fewer"
        )

    def reduce(self, block: Block) -> Tensor:
        """Return this worker's own gradient: nothing is sent."""
        return block.gradient

    def reduce_bucket(self, bucket: GradBucket) -> Future[Tensor]:
        """Return a completed future of the unchanged bucket, because gradients are not averaged in local steps."""
        # Not on the communication thread, where messages in the background would delay local steps.
        future: Future[Tensor] = Future(devices=self._stream.devices)
        future.set_result(bucket.buffer())
        if bucket.is_last():
            self.step += 1
        return future

    def after_step(self) -> None:
        """Send fragments and make outer steps, if due after any of the steps since the last call.

        Each fragment is sent every ``sync_every`` steps. The fragment's outer step follows ``delay`` steps later.
        """
        first, self._steps_seen = self._steps_seen, self.step
        for step in range(first, self.step):
            if self.delay and self._times.applied_after(step) is not None:
                self._apply()
            fragment = self._times.sent_after(step)
            if fragment is not None:
                self._apply()  # a fragment that was under way at a call of set_step
                self._send(self._fragments[fragment], step)

    def synchronize(self) -> None:
        """Complete the counts and measured times of all past steps.

        Wait for a fragment that is being exchanged and, if there is a GPU, for the GPU. Call this function between two
        steps.

        Raises:
            NonFiniteError: If a gradient or a model of a past step is not finite.
        """
        self._wait()
        super().synchronize()

    def complete_spans(self) -> None:
        """Wait until ``tracer`` has the spans (timed pieces of work) of all past steps.

        Unlike ``synchronize``, do not wait for a fragment that is being exchanged in the background.
        """
        super().synchronize()

    def own_state(self) -> dict[str, Any]:
        """Return the state that ``load_own_state`` restores, by name. Wait for a fragment that is being exchanged.

        ``steps_seen`` and ``under_way`` are added to the entries of ``OuterModel.own_state``. ``steps_seen`` is the
        number of the first step that ``after_step`` has not handled yet. ``under_way`` has the mean pseudo-gradient of
        each block whose outer step is still due, by the block's index as text.
        """
        self._wait()
        means: dict[str, Tensor] = {}
        if self._under_way is not None:
            indices = [str(block.index) for block in self._under_way.blocks]
            means = dict(zip(indices, self._under_way.means, strict=True))
        return {**super().own_state(), "steps_seen": self._steps_seen, "under_way": means}

    def load_own_state(self, state: Mapping[str, Any]) -> None:
        """Restore the state that ``own_state`` returned.

        Raises:
            ValueError: If the saved memories differ from this algorithm's in their names or shapes.
        """
        self._wait()
        super().load_own_state(state)
        self._steps_seen = state["steps_seen"]
        self._under_way = None
        if state["under_way"]:
            blocks = [self.blocks[int(index)] for index in state["under_way"]]
            means = [mean.to(self.device, copy=True) for mean in state["under_way"].values()]
            done: ThreadFuture[None] = ThreadFuture()
            done.set_result(None)
            self._under_way = _UnderWay(blocks=blocks, means=means, done=done)

    def set_step(self, step: int) -> None:
        """Set the number of the next step. The memories, and a fragment that is being exchanged, do not change.

        Call it on every rank, between two steps.
        """
        super().set_step(step)
        self._steps_seen = step

    def set_up(self, named: list[tuple[str, Parameter]], exchange: Exchange) -> None:
        """Set up as ``OuterModel`` does, and list the blocks of each fragment.

        All tensors of a block belong to the same fragment.
        """
        self._under_way = None
        super().set_up(named, exchange)
        parameters = [parameter for _, parameter in named if parameter.numel()]
        cut = cut_fragments([parameter.numel() for parameter in parameters], self.fragments)
        members = [{parameters[index] for index in fragment} for fragment in cut]
        self._fragments = [[block for block in self.blocks if block.parameters[0] in own] for own in members]

    def _plan(self, numels: list[int]) -> list[list[int]]:
        """Return for each block the indices of its tensors; ``numels`` has the number of elements of each tensor.

        No block has tensors of two fragments. The blocks of the last fragment come first.
        """
        cut = cut_fragments(numels, self.fragments)
        planned = [
            [
                [fragment[place] for place in block]
                for block in plan_blocks([numels[i] for i in fragment], self.largest_block, self.block_order)
            ]
            for fragment in reversed(cut)
        ]
        return [block for blocks in planned for block in blocks]

    def _send(self, blocks: list[Block], step: int) -> None:
        """Average the pseudo-gradients of ``blocks`` over the workers, after step number ``step``.

        If ``delay`` is positive, only start the averaging, which goes on in the background. If ``delay`` is 0, wait for
        the average of each block and make the block's outer step before averaging the next block, to save memory.
        """
        self._non_finite_message = f"step {step}: the models are not finite"
        for group in [blocks] if self.delay else [[block] for block in blocks]:
            means = [self.pseudo_gradient(block) for block in group]
            done = self._thread.start(functools.partial(self._average, group, means, step))
            self._under_way = _UnderWay(blocks=group, means=means, done=done)
            if not self.delay:
                self._apply()

    def _average(self, blocks: list[Block], pseudo_gradients: list[Tensor], step: int) -> None:
        for block, pseudo_gradient in zip(blocks, pseudo_gradients, strict=True):
            self.exchange.begin(step, block.index)
            self.average(block, pseudo_gradient)

    def _wait(self) -> None:
        """Wait for the fragment that is being exchanged, if any.

        Raises NonFiniteError if a value in the fragment is not finite.
        """
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
        """If a fragment is being averaged in the background, wait for the mean, and take the fragment's outer step."""
        self._wait()
        if self._under_way is None:
            return
        under_way, self._under_way = self._under_way, None
        for block, mean in zip(under_way.blocks, under_way.means, strict=True):
            self.outer_step(block, mean)
