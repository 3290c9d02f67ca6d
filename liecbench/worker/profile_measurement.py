"""Measure the profile of a model: the seconds in which one device computes and compresses in a step."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import torch

from liecbench.compressors.base import Compressor
from liecbench.config.cell import Cell
from liecbench.config.user_functions import file_sha256
from liecbench.errors import LiecbenchError
from liecbench.host import machine
from liecbench.profiles.profile import MethodTimes, Profile
from liecbench.worker.compressor_times import measure_compressor, measure_copies, sizes_up_to
from liecbench.worker.device import rng_states, set_rng_states
from liecbench.worker.global_generators import generator_states, set_generator_states
from liecbench.worker.method_times import measure_method, used_compressors
from liecbench.worker.plain_steps import PlainSteps, built_task, duration, parameter_times
from liecbench.worker.single_rank import group_of_one
from liecbench.worker.update_times import measure_update, other_updates

_MOST_SECONDS: Final = 20.0
_FEWEST_STEPS: Final = 5


def measure_profile(
    cell: Cell,
    *,
    threads: int,
    device: torch.device,
    contestants: Sequence[Cell],
    compressors: Sequence[Compressor] = (),
    min_steps: int = 30,
    heartbeat: Callable[[], None] = lambda: None,
) -> Profile:
    """Measure the profile of a cell's model on one device. Not collective.

    In a launch, one rank calls this function while the other ranks wait. If this process is not part of a launch, it is
    the only rank of a new process group until the profile is measured.

    Args:
        cell: The cell whose task is measured.
        threads: The number of torch's threads.
        device: The device.
        contestants: The cells whose methods and compressors are measured, all with the task's model.
        compressors: Further compressors to measure.
        min_steps: The number of training steps to measure first. 5 more steps are measured after each compressor and
            each contestant. If 5 or more steps have taken over 20 s in total, no more are measured.
        heartbeat: Called repeatedly, to signal that this rank makes progress.
    """
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with _kept_random_states(device), group_of_one(device) as group:
            steps = PlainSteps.create(cell, built_task(cell, device), device)
            _measure_steps(steps, min_steps, heartbeat)
            sizes = sizes_up_to(sum(parameter.numel() for _, parameter in steps.parameters))
            measured_compressors = []
            # More steps follow each of these measurements, so that a short disturbance does not change all steps.
            for compressor in used_compressors(contestants, steps, compressors):
                measured_compressors.append(measure_compressor(compressor, sizes, device))
                _measure_steps(steps, _FEWEST_STEPS, heartbeat)
            updates = [measure_update(one, steps) for one in other_updates(cell, contestants)]
            methods: dict[str, MethodTimes] = {}
            for one in contestants:
                for times in measure_method(one, steps, measured_compressors, group, heartbeat):
                    methods.setdefault(str((times.algorithm, times.compressor, times.kind)), times)
                _measure_steps(steps, _FEWEST_STEPS, heartbeat)
            copies = measure_copies(sizes, device) if device.type == "cuda" else {}
    finally:
        torch.set_num_threads(threads_before)
    measured = steps.taken
    described = machine.describe(threads=threads)
    return Profile(
        origin="measured",
        task=cell.task.model_dump(mode="json"),
        model_sha256=file_sha256(cell.task.model.name),
        device="cuda" if device.type == "cuda" else "cpu",
        device_name=torch.cuda.get_device_name(device) if device.type == "cuda" else str(described["cpu"]),
        threads=threads,
        precision=cell.task.precision,
        batch_size=cell.task.batch_size,
        versions={name: str(described[name]) for name in ("liecbench", "torch", "numba", "python", "kernel")},
        steps=len(measured),
        forward=duration([step.forward for step in measured]),
        backward=duration([step.backward for step in measured]),
        clip=duration([step.clip for step in measured]),
        optimizer=duration([step.optimizer for step in measured]),
        parameters=tuple(parameter_times(measured, steps.parameters)),
        compressors=tuple(measured_compressors),
        methods=tuple(methods.values()),
        updates=tuple(updates),
        copy_to_host=copies.get("copy_to_host"),
        copy_to_device=copies.get("copy_to_device"),
    )


def _measure_steps(steps: PlainSteps, number: int, heartbeat: Callable[[], None]) -> None:
    """Measure ``number`` training steps and append the results to ``steps.taken``.

    Stop early, possibly before the first step, when ``steps.taken`` has at least ``_FEWEST_STEPS`` steps that took more
    than ``_MOST_SECONDS`` in total. ``heartbeat`` is called after each step.
    """
    for _ in range(number):
        if len(steps.taken) >= _FEWEST_STEPS and sum(step.seconds for step in steps.taken) > _MOST_SECONDS:
            return
        steps.step()
        heartbeat()


@contextmanager
def untrainable_models_refused(model: str, remedy: str) -> Iterator[None]:
    """Raise LiecbenchError, with the name of the model and ``remedy``, if the body fails to train the model."""
    try:
        yield
    except (RuntimeError, ValueError, TypeError, ArithmeticError, LookupError) as error:
        raise LiecbenchError(f"{model} cannot be trained: {type(error).__name__}: {error}", remedy) from error


@contextmanager
def _kept_random_states(device: torch.device) -> Iterator[None]:
    states, others = rng_states(device), generator_states()
    try:
        yield
    finally:
        set_rng_states(states, device)
        set_generator_states(others)
