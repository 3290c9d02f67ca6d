"""Create an assumed profile of a model, for estimates before a timing session has measured the real profile."""

import statistics
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from liecbench.config import workload, workload_sizes
from liecbench.config.cell import Cell
from liecbench.config.optimizer_fields import update_of
from liecbench.errors import LiecbenchError
from liecbench.estimate.machine_speed import numel
from liecbench.estimate.replayed_steps import replayed_kinds
from liecbench.profiles.profile import MOST_ELEMENTS, CompressorTimes, Line, MethodTimes, Profile, UpdateTimes

if TYPE_CHECKING:
    from liecbench.compressors.base import Compressor

_MOST_PASSES, _MOST_SECONDS = 11, 2.0
# As before the steps of a measured profile: caches are cold after a pause.
_PAUSE_SECONDS: Final = 0.005
# Seconds of SGD, rounded from the profiles of the bundled models on 2 cores.
_OPTIMIZER: Final = Line(constant=2e-4, per_element=4e-10)
# Seconds of a method beyond its compressor's operations, per step and per parameter, and of an averaging step besides.
# Rounded from the profiles of the bundled models on 2 cores.
_LOCAL: Final = Line(constant=7e-4, per_element=1.5e-9)
_AVERAGING: Final = Line(constant=3e-4, per_element=1.5e-9)
_NO_TIME: Final = Line(constant=0.0, per_element=0.0)


def stand_in(cells: Sequence[Cell], *, takes_time: bool = True) -> Profile:
    """Return an assumed profile of the model that ``cells`` train, with times for every method in ``cells``.

    - For cells on the CPU, the model's passes and the compressors are measured briefly on this machine. All other times
      are assumed. If this machine cannot build the model, the times of the passes and of the optimizer are 0.
    - For cells on a GPU, all times are 0.

    Args:
        cells: Cells with the same model and the same device.
        takes_time: If False, nothing is measured, and all times are 0 on either device.

    Raises:
        LiecbenchError: If the model has more parameters than a profile may have.
    """
    if (elements := numel(cells[0].task)) > MOST_ELEMENTS:
        raise LiecbenchError(
            f"{cells[0].task.model.name}: {elements:,} parameters are more than ranks can replay ({MOST_ELEMENTS:,})",
            "use a smaller model, or compute: measured",
        )
    measured = takes_time and cells[0].device == "cpu"
    fields = (_measured_steps(cells[0]) if measured else None) or _fields(cells[0])
    task = cells[0].task.model_dump(mode="json")
    profile = Profile.model_validate(
        {"schema": 1, "origin": "assumed", "task": task, "threads": cells[0].threads, **fields}
    )
    return with_methods(profile, cells, takes_time=measured)


def with_methods(profile: Profile, cells: Iterable[Cell], *, takes_time: bool = True) -> Profile:
    """Return a copy of ``profile`` with times for the methods, compressors and optimizers of all ``cells``.

    The times in ``profile`` are kept. Missing times of compressors are measured now, on the CPU. Missing times of
    methods are assumed. A missing optimizer is assumed to take as long as the profile's own optimizer.

    Args:
        profile: The profile of the model that all ``cells`` train.
        cells: The cells.
        takes_time: If False, nothing is measured, and the missing times of compressors and methods are 0.
    """
    from liecbench.compressors.by_name import description

    compressors, methods, updates = list(profile.compressors), list(profile.methods), list(profile.updates)
    for cell in cells:
        if update_of(cell.task) not in [one.update for one in updates]:
            # Another optimizer is taken to need as long as the profile's.
            updates.append(UpdateTimes(update=update_of(cell.task), clip=profile.clip, optimizer=profile.optimizer))
        names = cell.algorithm.model_dump(), cell.compressor.model_dump() if cell.compressor else None
        for kind, found in replayed_kinds(cell, profile).items():
            for call in found.schedule.calls:
                if description(call.compressor) not in [one.compressor for one in compressors]:
                    compressors.append(_times(call.compressor, profile, takes_time=takes_time))
            if (*names, kind) not in [(one.algorithm, one.compressor, one.kind) for one in methods]:
                local = _local_seconds(profile, kind) if takes_time else 0.0
                methods.append(MethodTimes(algorithm=names[0], compressor=names[1], kind=kind, local=local))
    added = {"compressors": tuple(compressors), "methods": tuple(methods), "updates": tuple(updates)}
    return profile.model_copy(update=added)


def _measured_steps(cell: Cell) -> dict[str, Any] | None:
    """Time the model's passes on this machine's CPU, and return the result of ``_fields`` for these times.

    Each time is the median of a few passes. Return None if this machine cannot build the task.
    """
    import numpy as np
    import torch

    task = cell.task
    try:
        made = workload.build(task)
    except workload.WorkloadError:
        return None  # for example too large for this machine; the worker will report it
    inputs, labels = made.train.batch(torch.arange(min(task.batch_size, len(made.train))), np.random.default_rng(0))
    clock = time.thread_time if cell.threads == 1 else time.perf_counter
    before, forward, backward = torch.get_num_threads(), list[float](), list[float]()
    torch.set_num_threads(cell.threads)
    try:
        until = time.monotonic() + _MOST_SECONDS
        while len(forward) < 2 or (len(forward) < _MOST_PASSES and time.monotonic() < until):
            time.sleep(_PAUSE_SECONDS)
            began = clock()
            with torch.autocast("cpu", torch.bfloat16, enabled=task.precision == "bf16"):
                loss = made.loss(made.model(inputs), labels)
            forward_ended = clock()
            loss.backward()  # no optimizer step: the first would import torch's compiler, which takes seconds
            forward.append(forward_ended - began)
            backward.append(clock() - forward_ended)
    finally:
        torch.set_num_threads(before)
    # The first pass also allocates the gradients.
    return _fields(cell, statistics.median(forward[1:]), statistics.median(backward[1:]))


def _fields(cell: Cell, forward: float = 0.0, backward: float = 0.0) -> dict[str, Any]:
    """Return a profile's fields ``forward``, ``backward``, ``optimizer`` and ``parameters`` for a cell's model.

    ``optimizer`` has an assumed time of one optimizer step; 0 if ``backward`` is 0. ``parameters`` has, for each
    parameter, the assumed time from the start of the backward pass until the gradient is ready. The backward pass is
    assumed to go from the last parameter to the first, at a constant number of elements per second.

    Args:
        cell: The cell.
        forward: Seconds of the forward pass.
        backward: Seconds of the backward pass.
    """
    sizes, passed, parameters = workload_sizes.sizes(cell.task), 0, []
    total = sum(shape.numel() for shape in sizes.parameters)
    for index, (shape, dtype) in reversed(list(enumerate(zip(sizes.parameters, sizes.dtypes, strict=True)))):
        passed += shape.numel()
        name, ready = str(dtype).removeprefix("torch."), backward * passed / max(1, total)
        parameters.append({"name": str(index), "shape": tuple(shape), "dtype": name, "ready_seconds": ready})
    return {
        "forward": {"median": forward},
        "backward": {"median": backward},
        "optimizer": {"median": _OPTIMIZER.seconds(total) if backward else 0.0},
        "parameters": tuple(reversed(parameters)),
    }


def _local_seconds(profile: Profile, kind: str) -> float:
    averages = _AVERAGING.seconds(profile.num_parameters) if kind == "averaging" else 0.0
    return _LOCAL.seconds(profile.num_parameters) + averages


def _times(compressor: "Compressor", profile: Profile, *, takes_time: bool) -> CompressorTimes:
    import torch

    from liecbench.compressors.by_name import description
    from liecbench.worker.compressor_times import measure_compressor

    if not takes_time:
        return CompressorTimes(
            compressor=description(compressor), compress=_NO_TIME, decompress=_NO_TIME, accumulate=_NO_TIME
        )
    # Two sizes suffice for an estimate: a whole gradient, and about a shard of it.
    sizes = [-(-profile.num_parameters // 8), profile.num_parameters]
    before = torch.get_num_threads()
    torch.set_num_threads(profile.threads)
    try:
        return measure_compressor(compressor, sizes, torch.device("cpu"))
    finally:
        torch.set_num_threads(before)
