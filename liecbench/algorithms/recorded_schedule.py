"""The messages of a step, recorded by running the method's own step on tensors without data."""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch.nn import Parameter

from liecbench.algorithms.comm.recording import RecordingExchange
from liecbench.algorithms.comm.schedule import Schedule

if TYPE_CHECKING:
    from liecbench.algorithms.block_method import BlockMethod


def recorded_schedule(
    algorithm: "BlockMethod", shapes: Sequence[torch.Size], *, world_size: int, step: int
) -> Schedule:
    """Return the messages of step number ``step``, by running ``reduce`` and ``after_step`` on the meta device.

    Args:
        algorithm: The method; a copy of it runs.
        shapes: The shapes of the trainable parameters.
        world_size: The number of ranks.
        step: The number of the step.

    Raises:
        ScheduleError: If the method reads a tensor's values.
    """
    exchange = RecordingExchange(world_size, algorithm.server_place or "sharded")
    recorded = copy.copy(algorithm)
    recorded.device = torch.device("meta")
    parameters = [Parameter(torch.empty(shape, device="meta")) for shape in shapes]
    recorded.set_up([(str(i), parameter) for i, parameter in enumerate(parameters)], exchange)
    recorded.set_step(step)
    with exchange.recording(type(algorithm).__name__):
        for block in recorded.blocks:
            exchange.begin(step, block.index)
            block.gradient = torch.empty(block.numel, device="meta")
            recorded.reduce(block)
        recorded.step += 1
        exchange.begin_after_step()
        recorded.after_step()
    return Schedule(
        world_size=world_size,
        server=algorithm.server_place,
        blocks=tuple(tuple(map(int, block.names)) for block in recorded.blocks),
        calls=tuple(exchange.calls),
        overlapped_steps=algorithm.overlapped_steps,
    )
