"""A stand-in for a profile that a timing session will measure: its steps and compressors measured briefly, now."""

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

_MOST_STEPS, _MOST_SECONDS = 10, 2.0
# Seconds of a method beyond its compressor's operations, per step and per parameter, and of an averaging step besides.
# Rounded from the profiles of the bundled models on 2 cores.
_LOCAL: Final = Line(constant=1.4e-3, per_element=1.5e-9)
_AVERAGING: Final = Line(constant=1.2e-3, per_element=1.5e-9)
_NO_TIME: Final = Line(constant=0.0, per_element=0.0)


def stand_in(cells: Sequence[Cell], *, takes_time: bool = True) -> Profile:
    """Return an assumed profile of the model of ``cells``, with the times of all their methods.

    Args:
        cells: Cells with the same model.
        takes_time: False for a profile in which nothing takes time, so that nothing needs to be measured.

    Raises:
        LiecbenchError: If the model has more parameters than a profile may have.
    """
    if (elements := numel(cells[0].task)) > MOST_ELEMENTS:
        raise LiecbenchError(
            f"{cells[0].task.model.name}: {elements:,} parameters are more than ranks can replay ({MOST_ELEMENTS:,})",
            "use a smaller model, or compute: measured",
        )
    measured = takes_time and cells[0].device == "cpu"
    fields = (_measured_steps(cells[0]) if measured else None) or _without_time(cells[0])
    task = cells[0].task.model_dump(mode="json")
    profile = Profile.model_validate(
        {"schema": 1, "origin": "assumed", "task": task, "threads": cells[0].threads, **fields}
    )
    return with_methods(profile, cells, takes_time=measured)


def with_methods(profile: Profile, cells: Iterable[Cell], *, takes_time: bool = True) -> Profile:
    """Return a profile that also has the methods of ``cells``, with compressors measured now and other times assumed.

    Args:
        profile: The profile, of the model of ``cells``.
        cells: The cells.
        takes_time: False if what is added takes no time.
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
    """Return fields of a profile from a few steps on this process's CPU; None if the task cannot be built here."""
    import torch

    from liecbench.worker.plain_steps import PlainSteps, duration, parameter_times

    before = torch.get_num_threads()
    torch.set_num_threads(cell.threads)
    try:
        steps = PlainSteps.create(cell, workload.build(cell.task), torch.device("cpu"))
        until = time.monotonic() + _MOST_SECONDS
        while not steps.taken or (len(steps.taken) < _MOST_STEPS and time.monotonic() < until):
            steps.step()
    except workload.WorkloadError:
        return None  # for example too large for this machine; the worker will report it
    finally:
        torch.set_num_threads(before)
    taken = steps.taken
    return {
        "forward": duration([step.forward for step in taken]),
        "backward": duration([step.backward for step in taken]),
        "optimizer": duration([step.optimizer for step in taken]),
        "parameters": tuple(parameter_times(taken, steps.parameters)),
    }


def _without_time(cell: Cell) -> dict[str, Any]:
    sizes = workload_sizes.sizes(cell.task)
    nothing = {"median": 0.0}
    return {
        "forward": nothing,
        "backward": nothing,
        "optimizer": nothing,
        "parameters": tuple(
            {
                "name": str(index),
                "shape": tuple(shape),
                "dtype": str(dtype).removeprefix("torch."),
                "ready_seconds": 0.0,
            }
            for index, (shape, dtype) in enumerate(zip(sizes.parameters, sizes.dtypes, strict=True))
        ),
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
