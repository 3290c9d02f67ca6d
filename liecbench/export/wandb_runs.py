"""Results for Weights & Biases: one offline run per cell. Nothing is sent before the user runs ``wandb sync``."""

from pathlib import Path

import wandb

from liecbench.export.exported_cell import ExportedCell, exported_cells
from liecbench.results.comparison import Comparison


def write(comparison: Comparison, directory: Path) -> str:
    """Write one offline W&B run per cell, and return the shell command that uploads the runs to the user's W&B account.

    The runs are written to ``wandb/`` in ``directory``.
    """
    settings = wandb.Settings(
        mode="offline",
        silent=True,
        console="off",
        # Of this machine and its user nothing is recorded.
        x_disable_stats=True,
        x_disable_meta=True,
        disable_git=True,
        disable_code=True,
        x_save_requirements=False,
    )
    try:
        for number, cell in enumerate(exported_cells(comparison)):
            _write_run(cell, number, directory, settings)
    finally:
        wandb.teardown()  # only then is the last run's file complete
    return f"wandb sync {directory}/wandb/offline-run-*"


def _write_run(cell: ExportedCell, number: int, directory: Path, settings: wandb.Settings) -> None:
    run = wandb.init(
        project="liecbench",
        name=cell.name,
        id=f"{cell.id}-{number}",
        dir=str(directory),
        config=dict(cell.fields),
        settings=settings,
        reinit="create_new",
    )
    for epoch, values in cell.epochs.items():
        run.log(dict(values), step=epoch)
    run.summary.update({f"final/{name}": value for name, value in cell.metrics.items()})
    run.finish(exit_code=int(cell.status in ("failed", "diverged")))
