"""The command ``liecbench profile``."""

import os
import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liecbench.cli.options import Assignments, Only, Quiet, ScenarioPath
from liecbench.cli.output_file import done_text
from liecbench.console.console import console, ignore_broken_pipe, say
from liecbench.errors import LiecbenchError

if TYPE_CHECKING:
    from liecbench.config.cell import Cell
    from liecbench.profiles.profile import Profile


class ProfiledDevice(StrEnum):
    """The device whose times are measured."""

    CPU = "cpu"
    CUDA = "cuda"


class Precision(StrEnum):
    """The precision of the forward and backward pass."""

    FP32 = "fp32"
    BF16 = "bf16"


def profile(
    scenario: ScenarioPath,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="File of the profile.")] = Path(
        "profile.json"
    ),
    device: Annotated[ProfiledDevice | None, typer.Option(help="Device.", show_default="the scenario's")] = None,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=4096, help="Threads.", show_default="the scenario's")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Model or module:function.", show_default="the scenario's")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Samples per minibatch.", show_default="the scenario's")
    ] = None,
    precision: Annotated[Precision | None, typer.Option(help="Precision.", show_default="the scenario's")] = None,
    only: Only = None,
    assign: Assignments = None,
    quiet: Quiet = False,
) -> None:
    """Measure a profile: the time that one device takes to compute a step and to compress.

    `liecbench predict` predicts from the profile. A scenario with `compute: FILE` replays the profile.
    """
    from liecbench.config.loader import load_scenario
    from liecbench.config.selection import select
    from liecbench.report.profile_table import render

    options = {"device": device, "threads": threads, "task.model": model, "task.batch_size": batch_size}
    options["task.precision"] = precision
    given = [f"{path}={value}" for path, value in options.items() if value is not None]
    require_replaceable(out)
    # A profile that the scenario names need not exist yet.
    loaded = load_scenario(
        scenario, ["compute=measured", *(assign or []), *given], lambda cells: select(cells, only or [])
    )
    cells = select(loaded.cells(), only or [])
    measured = measured_profile(cells, quiet=quiet)
    from liecbench.profiles.profile_file import write_profile

    done = done_text(out)
    write_profile(out, measured)
    with ignore_broken_pipe():
        console().print(render(measured))
    from_scenario = os.path.relpath(out, scenario.parent)  # as the scenario must name it
    fitting = [str(scenario)] if _fits(measured, cells, scenario) else []
    command = shlex.join(["liecbench", "predict", *fitting, "--profile", str(out)])
    say(f"{done}; next: {command}, or compute: {from_scenario} in {scenario}", quiet)


def measured_profile(cells: "list[Cell]", *, quiet: bool) -> "Profile":
    """Measure and return the profile of the model that all ``cells`` train.

    The profile also has the times of the cells' methods and compressors. ``quiet`` suppresses the progress message.

    Raises:
        LiecbenchError: If the cells differ in dataset, model, batch size, precision, device or number of threads, or if
            the model cannot be trained.
        MachineError: If the cells' device is a GPU, and compressors cannot run on a GPU here.
    """
    cell = cells[0]
    require_one_model(cells)
    if cell.device == "cuda":
        from liecbench.launch.gpu_requirements import Cuda

        Cuda.found().require_kernels("--device cuda", "or use --device cpu")
    os.environ.setdefault("OMP_NUM_THREADS", str(cell.threads))  # torch reads it when it is imported
    import torch

    from liecbench.worker.profile_measurement import measure_profile, untrainable_models_refused
    from liecbench.worker.two_ranks import message_cost

    contestants = {(str(one.algorithm), str(one.compressor), one.workers): one for one in cells}
    say(f"measuring {cell.task.model.name} and {len(contestants)} methods", quiet)
    cost = message_cost()
    device = torch.device(cell.device)
    with untrainable_models_refused(cell.task.model.name, "correct the model, or choose another with --model"):
        found = measure_profile(cell, threads=cell.threads, device=device, contestants=list(contestants.values()))
    per_message = {"message_seconds": cost.message, "hop_seconds": cost.hop} if cost else {}
    return found.model_copy(update=per_message)


def _fits(profile: "Profile", cells: "list[Cell]", scenario: Path) -> bool:
    """Return True if the profile, measured for ``cells``, fits the file ``scenario``: its model and its compressors.

    It may not fit because of ``--model``, ``--set`` and other options, which change the scenario for the profile only.
    """
    from liecbench.config.loader import load_scenario
    from liecbench.prediction.prediction_inputs import require_same_model

    try:
        own = load_scenario(scenario).cells()
        require_one_model(own)
        require_same_model(profile, own[0], str(scenario))
    except LiecbenchError:
        return False
    return {str(cell.compressor) for cell in own} <= {str(cell.compressor) for cell in cells}


def require_one_model(cells: "list[Cell]", remedy: str | None = None) -> None:
    """Raise LiecbenchError if the cells need several profiles.

    One profile suffices if all cells agree in dataset, model, batch size, precision, device and number of threads.

    ``remedy`` is the advice in the error message. If ``remedy`` is None, the message advises an option of ``liecbench
    profile``, such as ``--threads``.
    """
    for name in ("dataset", "model", "batch_size", "precision"):
        values = list(dict.fromkeys(str(getattr(cell.task, name)) for cell in cells))
        if len(values) > 1:
            shown = [getattr(getattr(cell.task, name), "name", str(getattr(cell.task, name))) for cell in cells]
            first = shown[0]
            raise LiecbenchError(
                f"the cells have several values of {name}: {', '.join(dict.fromkeys(shown))}; a profile has one",
                remedy or f"choose the cells with --only {name}={first}",
            )
    for name in ("device", "threads"):
        if len({getattr(cell, name) for cell in cells}) > 1:
            raise LiecbenchError(
                f"the cells have several values of {name}; a profile has one", remedy or f"give --{name}"
            )


def require_replaceable(out: Path) -> None:
    """Raise LiecbenchError if ``out`` cannot be written, or is a non-empty file that is no profile."""
    from liecbench.profiles.profile_file import read_profile
    from liecbench.untrusted import regular_files

    try:
        regular_files.require_writable(out)
    except OSError as error:
        raise LiecbenchError(f"{out}: {error.strerror}", "give a file in a directory that you can write") from None
    if out.is_file() and out.stat().st_size:
        try:
            read_profile(out)
        except LiecbenchError as error:
            raise LiecbenchError(f"not overwritten, because it is no profile: {error}", "give another -o") from None
