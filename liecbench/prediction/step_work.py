"""The work of one kind of step: the seconds of computing, the blocks of the gradient, and the messages."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from liecbench.algorithms.comm.partition import plan_buckets
from liecbench.algorithms.comm.schedule import Call, Schedule
from liecbench.prediction.call_sizes import CallSizes
from liecbench.profiles.profile import CompressorTimes, Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockWork:
    """The work on one block of the gradient, or on one bucket of DDP, in a step.

    Attributes:
        ready_seconds: Seconds from the start of the backward pass until the communication of the block can start.
        numel: The number of elements of the block.
        local_seconds: Seconds of the method's own work on the block, without compression.
        calls: The pushes, pulls and gathers, in order.
        all_reduces: The bytes of each all-reduce.
    """

    ready_seconds: float
    numel: int
    local_seconds: float = 0.0
    calls: tuple[CallSizes, ...] = ()
    all_reduces: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWork:
    """The work of one kind of step, which does not depend on the links.

    Attributes:
        world_size: The number of ranks.
        before_seconds: Seconds of computing before the last backward pass: the last forward pass and, if a step
            accumulates several minibatches, both passes of each earlier minibatch.
        backward_seconds: Seconds of the last backward pass.
        after_seconds: Seconds of clipping and of the optimizer.
        blocks: The work on each block of the gradient, in the order of ``Schedule.blocks``.
        after_step: The pushes, pulls and gathers after the optimizer's step.
        overlapped_steps: The number of later steps that compute while the messages of ``after_step`` are in flight; 0
            if the next step waits for them.
        after_local_seconds: Seconds of the method's own work (see ``MethodTimes``) after the optimizer's step.
        is_serial: True if all all-reduces run one after the other, as in PyTorch's PowerSGD.
        has_own_times: True if the profile has the seconds of the method's own work, the work of
            DistributedDataParallel included. If False, ``after_local_seconds`` and the blocks' ``local_seconds`` are 0.
        sent_bytes: Payload bytes that a rank sends in a step, averaged over the ranks.
    """

    world_size: int
    before_seconds: float
    backward_seconds: float
    after_seconds: float
    blocks: tuple[BlockWork, ...]
    after_step: tuple[CallSizes, ...]
    overlapped_steps: int
    after_local_seconds: float
    is_serial: bool
    has_own_times: bool
    sent_bytes: float

    @property
    def compute_seconds(self) -> float:
        """Seconds of computing in the step: all forward and backward passes, clipping and the optimizer."""
        return self.before_seconds + self.backward_seconds + self.after_seconds


def step_work(
    schedule: Schedule,
    profile: Profile,
    times_of: Mapping[str, CompressorTimes],
    *,
    bucket_bytes: int | Literal["whole"] | None,
    local_seconds: float | None = None,
    batches_per_step: int = 1,
    update: dict[str, Any] | None = None,
) -> StepWork:
    """Return the work of a kind of step: seconds of computing, and the messages with their compression times.

    Args:
        schedule: The messages of all ranks in one step of this kind, recorded for the parameters of ``profile``.
        profile: The model's times.
        times_of: The times of each compressor of ``schedule``. The key is ``repr(compressor)``.
        bucket_bytes: The bytes at which a DDP bucket is full; None for DDP's defaults, ``whole`` for one bucket per
            dtype.
        local_seconds: Seconds per step of the method's own work on one rank (see ``MethodTimes``); None if unknown.
        batches_per_step: The number of minibatches whose gradients a step accumulates.
        update: The fields of the method's task that choose clipping and the optimizer, as ``update_of`` returns them.
            If None, or if the profile has no times for these fields, the times of the profile's task are used.
    """
    numels = [math.prod(parameter.shape) for parameter in profile.parameters]
    ready = _handed_over(profile, numels, bucket_bytes)
    sizes: dict[tuple[Any, ...], CallSizes] = {}

    def sized(call: Call) -> CallSizes:
        key = (call.direction, call.numel, repr(call.compressor))
        if key not in sizes:
            sizes[key] = CallSizes.of(call, schedule, times_of[repr(call.compressor)])
        return sizes[key]

    after = tuple(sized(call) for call in schedule.calls if call.block is None)
    block_numels = [sum(numels[index] for index in block) for block in schedule.blocks]
    after_numel = sum(call.vector_numel for call in after) // 2
    per_element = (local_seconds or 0.0) / max(1, sum(block_numels) + after_numel)
    calls = [[sized(call) for call in schedule.calls if call.block == index] for index in range(len(block_numels))]
    reduces = [[r.num_bytes for r in schedule.all_reduces if r.bucket == index] for index in range(len(block_numels))]
    blocks = [
        BlockWork(
            ready_seconds=max((ready[index] for index in block), default=0.0),
            numel=numel,
            local_seconds=per_element * numel,
            calls=tuple(block_calls),
            all_reduces=tuple(block_reduces),
        )
        for block, numel, block_calls, block_reduces in zip(schedule.blocks, block_numels, calls, reduces, strict=True)
    ]
    passes = profile.forward.median + profile.backward.median
    return StepWork(
        world_size=schedule.world_size,
        before_seconds=(batches_per_step - 1) * passes + profile.forward.median,
        backward_seconds=profile.backward.median,
        after_seconds=profile.update_seconds(update),
        blocks=tuple(blocks),
        after_step=after,
        overlapped_steps=schedule.overlapped_steps,
        after_local_seconds=per_element * after_numel,
        is_serial=any(reduce.depends_on for reduce in schedule.all_reduces),
        has_own_times=local_seconds is not None,
        sent_bytes=_mean_sent(schedule, [sized(call) for call in schedule.calls]),
    )


def _handed_over(profile: Profile, numels: Sequence[int], bucket_bytes: int | Literal["whole"] | None) -> list[float]:
    """Return when each parameter's DDP bucket can be sent, in seconds since the start of the backward pass.

    A bucket can be sent when its last gradient is ready. DDP is assumed to fill the buckets in the order in which
    gradients are ready, as in all steps after the first one.

    Args:
        profile: The profile, which says when each gradient is ready.
        numels: The number of elements of each parameter.
        bucket_bytes: The bytes at which a bucket is full; None for DDP's defaults, ``whole`` for one bucket per dtype.
    """
    import torch

    parameters = profile.parameters
    order = sorted(range(len(parameters)), key=lambda index: (parameters[index].ready_seconds, -index))
    # plan_buckets takes the tensors from the last to the first.
    backwards = order[::-1]
    dtypes = [getattr(torch, parameters[index].dtype) for index in backwards]
    ready = [0.0] * len(parameters)
    for bucket in plan_buckets([numels[index] for index in backwards], bucket_bytes, dtypes):
        indices = [backwards[place] for place in bucket]
        last = max(parameters[index].ready_seconds for index in indices)
        for index in indices:
            ready[index] = last
    return ready


def _mean_sent(schedule: Schedule, calls: Sequence[CallSizes]) -> float:
    """Return the payload bytes that a rank sends in a step, averaged over the ranks.

    ``calls`` are the sizes of all pushes, pulls and gathers of ``schedule``.
    """
    others = (schedule.world_size - 1) / schedule.world_size
    return others * (
        2 * sum(reduce.num_bytes for reduce in schedule.all_reduces) + sum(call.total_bytes for call in calls)
    )
