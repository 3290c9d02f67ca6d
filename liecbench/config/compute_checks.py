"""Check ``compute`` and ``dilation`` of a scenario, and that its profiles fit the tasks of the cells."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from liecbench.config import registry, workload_sizes
from liecbench.config.axes import TASK_FIELDS
from liecbench.config.cell import Cell
from liecbench.config.choice import Choice
from liecbench.config.factory import make_algorithm
from liecbench.config.matrix_point import MatrixPoint
from liecbench.config.mistakes import Mistake
from liecbench.config.scenario import MATRIX, OF_TRAINING, Scenario
from liecbench.profiles.profile import Profile
from liecbench.profiles.profile_store import ProfileFile

# TCP's timers do not slow down with everything else, which matters where segments are lost.
_MOST_DILATION_WITH_LOSS = 4


def check_compute(scenario: Scenario) -> Iterator[Mistake]:
    """Yield a mistake if ``compute`` contradicts another key, or if ``dilation`` is given but has no effect."""
    replays = scenario.compute not in ("auto", "measured")
    if replays and scenario.timing == "end_to_end":
        message = (
            "timing: end_to_end times training, in which ranks compute; use timing: interleaved, or remove compute"
        )
        yield Mistake(("compute",), message)
    if replays and scenario.backend == "nccl":
        message = "nccl moves GPU memory only, and ranks that replay a profile use none; use backend: gloo"
        yield Mistake(("compute",), message)
    if scenario.dilation == "auto":
        return
    if scenario.compute == "measured" or scenario.timing == "end_to_end":
        key = "compute: measured" if scenario.compute == "measured" else "timing: end_to_end"
        message = f"with {key}, ranks compute at their own speed; remove dilation, or use compute: replayed"
        yield Mistake(("dilation",), message)


def check_dilation(scenario: Scenario) -> Iterator[Mistake]:
    """Yield a mistake for each link that the dilation of its cell does not suit.

    A dilation above 1 needs a link with a rate. If the link has loss, the dilation may be at most 4. The dilation
    ``auto`` suits every link.
    """
    for point, cell in scenario.kept:
        dilation = 1 if cell.dilation == "auto" else cell.dilation
        if dilation == 1:
            continue
        if not cell.link.shaped:
            message = f"dilation: {dilation} needs a link whose rate can be lowered; give it a rate, or remove dilation"
            yield Mistake(point.path("link"), message)
        elif dilation > _MOST_DILATION_WITH_LOSS and any(link.loss for link in cell.link.links()):
            message = (
                f"dilation: {dilation} does not slow down TCP's timers, on which the time of lost segments depends; "
                f"use dilation: {_MOST_DILATION_WITH_LOSS} or less, or a link without loss"
            )
            yield Mistake(point.path("link"), message)


def check_profile(scenario: Scenario, cell: Cell) -> Iterator[Mistake]:
    """Yield a mistake if the scenario's profile is for another task than the cell's.

    Without a profile in ``compute``, yield nothing.
    """
    file = scenario.compute
    if not isinstance(file, ProfileFile):
        return
    if (difference := next(_differences(file.profile, cell), None)) is not None:
        message = f"{file.name} {difference}; measure a profile of this task with `liecbench profile`"
        yield Mistake(("compute",), f"{message}, or use compute: auto")


def _check_profile_alone(point: MatrixPoint) -> Iterator[Mistake]:
    """Yield a mistake if ``point``, which has a profile, also has fields of a training task, such as a model."""
    names = [name for name in TASK_FIELDS if name != "profile" and name in point.fields]
    if names:
        message = "a task with a profile is only timed, and trains nothing"
        remedy = f"remove {', '.join(names)}, or remove profile"
        yield Mistake(point.path(names[0]), f"{message}; {remedy}", at_key=True)


def check_timing_only(scenario: Scenario) -> Iterator[Mistake]:
    """Check a scenario in which a task is a profile. Such a scenario is only timed. For others, yield nothing.

    Yields:
        A mistake if there are fields of a training task, such as a model; else one if other cells are trained; else one
        for each setting that does not suit replays, such as ``target_accuracy``.
    """
    points = list(scenario.points())
    of_profile = [point for point in points if "profile" in point.fields]
    if not of_profile:
        return
    if alone := [mistake for point in of_profile for mistake in _check_profile_alone(point)]:
        yield from alone
        return
    first = next((point for point in points if "profile" not in point.fields), None)
    if first is not None:
        message = "some cells have a profile and others are trained; write a scenario for each"
        yield Mistake(of_profile[0].path("profile"), message, at_key=True)
        return
    for name in OF_TRAINING:
        if name in scenario.model_fields_set:
            message = f"nothing is trained in a scenario with a profile for its task; remove {name}"
            yield Mistake((name,), message, at_key=True)
    if scenario.timing == "end_to_end":
        message = "end_to_end times training, and a task with a profile trains nothing; use timing: interleaved"
        yield Mistake(("timing",), message)
    if scenario.compute not in ("auto", "replayed"):
        message = "a task with a profile is replayed; remove compute"
        yield Mistake(("compute",), message)
    if scenario.backend == "nccl":
        message = "nccl moves GPU memory only, and ranks that replay a profile use none; use backend: gloo"
        yield Mistake(("backend",), message)
    if len({point.value("seed") for point in points}) > 1:
        message = "seeds change nothing where nothing is trained; give one seed"
        yield Mistake((*MATRIX, "seed"), message)


def check_profile_task(point: MatrixPoint, cell: Cell) -> Iterator[Mistake]:
    """Yield a mistake if a cell, whose task is a profile, has a method that takes several minibatches per step."""
    if (batches := make_algorithm(cell).batches_per_step) > 1:
        message = (
            f"{cell.algorithm.name} takes {batches} minibatches per step, and a task with a profile compares steps"
        )
        asked = f"`liecbench predict --profile FILE --algorithm {cell.algorithm.name}:OPTION=VALUE,…`"
        advice = f"give it accumulate: false, or train a model, or ask {asked}"
        yield Mistake(point.path("algorithm"), f"{message}; {advice}")


def _differences(profile: Profile, cell: Cell) -> Iterator[str]:
    """Yield a phrase on each difference between a profile's task and the cell's.

    An example is ``is of batch_size: 32, and the scenario has 64``.
    """
    task = profile.task or {}
    kinds: tuple[registry.Kind, ...] = ("dataset", "model")
    for kind in kinds:
        own: Choice = getattr(cell.task, kind)
        if kind in task and _resolved(kind, task[kind]) != own.model_dump():
            yield f"is of the {kind} {choice_text(task[kind])}, and the scenario has {choice_text(own.model_dump())}"
    for name in ("batch_size", "precision"):
        found, wanted = getattr(profile, name), getattr(cell.task, name)
        if found not in (None, wanted):
            yield f"is of {name}: {found}, and the scenario has {wanted}"
    if profile.origin == "measured":
        timed = [task, *(times.update for times in profile.updates)]
        optimizers = list(dict.fromkeys(str(_name(one.get("optimizer", "sgd"))) for one in timed))
        if cell.task.optimizer.name not in optimizers:
            named = " and ".join(optimizers)
            yield f"has times of {named}, and {cell.algorithm.name} is trained with {cell.task.optimizer.name}"
    shapes = [tuple(shape) for shape in workload_sizes.sizes(cell.task).parameters]
    if (known := [parameter.shape for parameter in profile.parameters]) != shapes:
        sizes = f"{len(known)} parameters with {_numel(known):,} elements"
        yield f"has {sizes}, and {cell.task.model.name} has {len(shapes)} with {_numel(shapes):,} or in other shapes"


def _resolved(kind: registry.Kind, written: Any) -> dict[str, Any] | None:
    """Return the name and all options of a profile's dataset or model, such as ``{"name": "mlp", "width": 256, …}``.

    Missing options get their defaults. Return None if liecbench has no dataset or model of this name, or if an option
    is wrong. ``written`` is the profile's entry: a name, or a mapping with the name and options.
    """
    try:
        choice = Choice.model_validate(written)
        return {"name": choice.name, **registry.resolve(kind, choice.name, choice.options)}
    except (ValidationError, registry.OptionError):
        return None


def _name(choice: Any) -> Any:
    return choice.get("name") if isinstance(choice, dict) else choice


def choice_text(choice: Any) -> str:
    """Return the text of a choice in a profile, which is a name with options, such as ``top_k (ratio: 0.01)``."""
    if isinstance(choice, dict) and "name" in choice:
        options = ", ".join(f"{name}: {value}" for name, value in choice.items() if name != "name")
        return f"{choice['name']} ({options})" if options else str(choice["name"])
    return str(choice)


def _numel(shapes: list[tuple[int, ...]]) -> int:
    total = 0
    for shape in shapes:
        numel = 1
        for size in shape:
            numel *= size
        total += numel
    return total
