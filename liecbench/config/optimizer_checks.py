"""Check that each cell's optimizer has valid options, suits the method, and has enough data and steps."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

from liecbench.config import registry
from liecbench.config.cell import Cell
from liecbench.config.cell_keys import canonical
from liecbench.config.compressor_checks import has_its_compressor
from liecbench.config.factory import make_algorithm
from liecbench.config.matrix_point import MatrixPoint
from liecbench.config.mistakes import Mistake
from liecbench.config.optimizer_fields import SHARED, make_optimizer
from liecbench.config.scenario import Scenario
from liecbench.config.schedule_choice import WarmUp
from liecbench.config.training_schedule import minibatches_per_step, steps_per_epoch
from liecbench.config.workload_sizes import Sizes

if TYPE_CHECKING:
    from liecbench.algorithms.base import Algorithm


def check_optimizers(scenario: Scenario) -> Iterator[Mistake]:
    """Yield a mistake for each optimizer option of a trained cell that is invalid or does not suit its method.

    A cell whose method does not work with its compressor is skipped: the method is not made then.
    """
    seen = set[str]()
    for point, cell in scenario.kept:
        if not cell.is_trained:
            continue
        spec = cell.spec()
        key = canonical([spec["algorithm"], spec["compressor"], spec["task"]])
        if key not in seen:
            seen.add(key)
            if has_its_compressor(cell):
                yield from (Mistake(point.path(field), message) for field, message in _problems(point, cell))


def _problems(point: MatrixPoint, cell: Cell) -> Iterator[tuple[str, str]]:
    """Yield (field, message) for each field of the task whose value is invalid or does not suit the cell's method.

    ``field`` is the field's name in the scenario, such as ``momentum``. ``message`` says what is wrong.
    """
    name = cell.task.optimizer.name
    known = {field.name for field in dataclasses.fields(registry.load("optimizer", name))}
    options = point.value("optimizer").options if "optimizer" in point.fields else {}
    for shared in SHARED:
        if shared in options and shared in point.fields and options[shared] != point.value(shared):
            yield shared, f"{point.value(shared)} here and {options[shared]} in optimizer; write {shared} once"
        if shared in point.fields and shared not in known and point.value(shared):
            message = f"{name} has no {shared}; remove it, or write it as an option of the optimizer that has it"
            yield shared, f"{message}: optimizer: {{name: sgd, {shared}: {point.value(shared)}}}"
    if problem := make_optimizer(cell.task).problem():
        yield "optimizer", problem
    # A method that refuses SGD does so for its momentum.
    place = (
        "momentum" if name == "sgd" and "optimizer" not in point.fields and "momentum" in point.fields else "optimizer"
    )
    yield from method_problems(cell, place)


def method_problems(cell: Cell, place: str) -> Iterator[tuple[str, str]]:
    """Yield (field, message) for each field of the task that the method does not support.

    ``field`` is the field's name in the scenario, such as ``clip_grad_norm``. ``message`` says what is wrong.

    Args:
        cell: The cell.
        place: The field to yield if the method does not support the optimizer: ``optimizer`` or ``momentum``.
    """
    method, algorithm = cell.algorithm.name, make_algorithm(cell, 0)
    for torch_name, options in make_optimizer(cell.task).torch_options().items():
        if reason := algorithm.incompatible_optimizer(torch_name, options):
            own = f"{{name: {method}, task: {{optimizer: sgd}}}}"
            message = f"{method} is not defined with {cell.task.optimizer.name}: {reason}"
            yield place, message if torch_name == "sgd" else f"{message}; an optimizer of its own: {own}"
    if cell.task.clip_grad_norm is not None and algorithm.clipping_refusal is not None:
        message = f"{method} is not defined with clipped updates: {algorithm.clipping_refusal}"
        yield "clip_grad_norm", f"{message}; not to clip: {{name: {method}, task: {{clip_grad_norm: null}}}}"
    own_batches = algorithm.batches_per_step
    if cell.task.accumulate > 1 and own_batches > 1:
        message = f"{method} accumulates {own_batches} minibatches per step itself"
        yield "accumulate", f"{message}; give it {{name: {method}, task: {{accumulate: 1}}}}"


def check_training(point: MatrixPoint, cell: Cell, algorithm: "Algorithm", sizes: Sizes) -> Iterator[Mistake]:
    """Yield a mistake if the training samples are too few for one step, or the steps too few for the warm-up.

    Also yield one if the optimizer is muon, and the model has no linear layers that muon can train.

    Args:
        point: The cell's combination of the matrix.
        cell: The cell.
        algorithm: The cell's algorithm.
        sizes: The sizes of the cell's data and model.
    """
    batches = minibatches_per_step(cell, algorithm)
    needed = cell.workers * cell.task.batch_size * batches
    if needed > sizes.num_train_samples:
        product = f"{cell.workers} workers × batch {cell.task.batch_size}"
        product += f" × {batches} minibatches" if batches > 1 else ""
        has = f"{cell.task.dataset.name} has {sizes.num_train_samples} to train on"
        lower = "batch_size, accumulate" if cell.task.accumulate > 1 else "batch_size"
        message = f"{product} = {needed} samples per step, and {has}; lower {lower} or workers"
        yield Mistake(point.path("batch_size"), message)
        return
    model = cell.task.model.name
    if cell.task.optimizer.name == "muon" and not sizes.has_hidden_matrices:
        message = f"{model} has no linear layer but its output layer, and muon trains the matrices of such layers"
        yield Mistake(point.path("optimizer"), f"{message}; use adamw or sgd")
    schedule = cell.task.schedule
    if isinstance(schedule, WarmUp) and schedule.has_warmup:
        per_epoch = steps_per_epoch(cell, algorithm, sizes.num_train_samples)
        needed, whole = schedule.num_warmup_steps(per_epoch), per_epoch * cell.task.epochs
        if needed >= whole:
            message = f"the learning rate warms up for {needed} steps, and the training has {whole}"
            yield Mistake(point.path("schedule"), f"{message}; lower warmup_steps or warmup_epochs")
