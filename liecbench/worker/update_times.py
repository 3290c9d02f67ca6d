"""Measure how long clipping and the optimizer take per step.

A profile is measured with the optimizer and the clipping norm of one cell. The times for methods with another optimizer
or another clipping norm are in ``Profile.updates``.
"""

from collections.abc import Iterable
from typing import Final

from liecbench.config.cell import Cell
from liecbench.config.optimizer_fields import update_of
from liecbench.profiles.profile import UpdateTimes
from liecbench.worker.optimizer_steps import OptimizerSteps
from liecbench.worker.plain_steps import PlainSteps, duration

_NUM_WARM_UP: Final = 2
_NUM_STEPS: Final = 10


def other_updates(cell: Cell, contestants: Iterable[Cell]) -> list[Cell]:
    """Return the contestants whose optimizer or clipping norm differs from that of ``cell``.

    Only the first of several contestants with equal optimizer and clipping norm is returned.
    """
    found = [update_of(cell.task)]
    others = []
    for one in contestants:
        if (update := update_of(one.task)) not in found:
            found.append(update)
            others.append(one)
    return others


def measure_update(cell: Cell, steps: PlainSteps) -> UpdateTimes:
    """Measure the seconds per step of clipping and of the optimizer.

    Both are measured on the model of ``steps``. The learning rate is 0, so that the parameters do not change. Before
    each measurement, ``steps.step`` is called once, to compute gradients. These calls add to ``steps.taken``.

    Args:
        cell: The cell whose task configures clipping and the optimizer.
        steps: The model, with its minibatches.
    """
    optimizer, clock = OptimizerSteps.of(cell.task, steps.task.model, learning_rate=0.0), steps.clock
    clips, updates = list[float](), list[float]()
    for number in range(_NUM_WARM_UP + _NUM_STEPS):
        steps.step()
        began = clock.timestamp()
        optimizer.clip()
        clipped = clock.timestamp()
        optimizer.step()
        ended = clock.timestamp()
        if number >= _NUM_WARM_UP:
            clock.record(began, clipped, lambda begin, end: clips.append(end - begin))
            clock.record(clipped, ended, lambda begin, end: updates.append(end - begin))
    clock.synchronize()
    clip = duration(clips) if optimizer.max_norm is not None else duration([0.0])
    return UpdateTimes(update=update_of(cell.task), clip=clip, optimizer=duration(updates))
