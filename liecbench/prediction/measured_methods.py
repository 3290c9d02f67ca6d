"""Choose the cell in which each predicted method is measured."""

from collections.abc import Iterable, Sequence
from typing import Any

from liecbench.config.cell import Cell
from liecbench.config.choice import Choice
from liecbench.config.factory import make_algorithm
from liecbench.config.optimizer_checks import method_problems
from liecbench.config.task import Task
from liecbench.errors import LiecbenchError
from liecbench.prediction.method_choice import Method
from liecbench.prediction.prediction_inputs import method_of

_PLAIN_SGD = {"optimizer": Choice(name="sgd"), "momentum": 0.0, "weight_decay": 0.0, "clip_grad_norm": None}


def measured_cells(methods: Iterable[Method], cells: Sequence[Cell]) -> list[Cell]:
    """Return one cell per method, in which one rank alone measures the method's own work.

    It is the first of ``cells`` that has the method. If there is none, it is the first of ``cells`` with the method in
    place of its own.

    Raises:
        LiecbenchError: If an option of a method does not fit the length of the training.
    """
    own: dict[str, Cell] = {}
    for cell in cells:
        own.setdefault(repr(method_of(cell)), cell)
    return [own.get(repr(method)) or _with_method(cells[0], method) for method in methods]


def _with_method(cell: Cell, method: Method) -> Cell:
    # With ``keep``, an epoch has a step also if the method's minibatches are more than the data.
    fields: dict[str, Any] = {"accumulate": method.accumulate, "last_batch": "keep", **(method.update or {})}
    changed = cell.model_copy(
        update={
            "algorithm": method.algorithm,
            "compressor": method.compressor,
            "server": method.server,
            "block_bytes": method.block_bytes,
            "block_order": method.block_order,
            "task": Task.model_validate({**cell.task.model_dump(), **fields}),
        }
    )
    if any(method_problems(changed, "optimizer")):
        # What is measured is the method's own work, and the optimizer is no part of it.
        changed = changed.model_copy(update={"task": changed.task.model_copy(update={**_PLAIN_SGD, "accumulate": 1})})
    _require_fitting_length(changed, method)
    return changed


def _require_fitting_length(cell: Cell, method: Method) -> None:
    from liecbench.algorithms.run_length import RunLengthError

    try:
        make_algorithm(cell)
    except RunLengthError as error:
        raise LiecbenchError(f"{method.name}: {error}", "or give --profile FILE") from None
