"""Write results for TensorBoard: one run per cell, with the cell's fields and final metrics under HPARAMS."""

from pathlib import Path

import tensorboard  # noqa: F401 - torch's writer needs it, and would fail less clearly

from liecbench.export.exported_cell import exported_cells
from liecbench.results.comparison import Comparison


def write(comparison: Comparison, directory: Path) -> str:
    """Write one event file per cell; return the command that shows them."""
    from torch.utils.tensorboard import SummaryWriter

    for cell in exported_cells(comparison):
        with SummaryWriter(log_dir=str(directory / cell.file_name)) as writer:
            for epoch, values in cell.epochs.items():
                for name, value in values.items():
                    writer.add_scalar(name, value, epoch)
            final = {f"final/{name}": value for name, value in cell.metrics.items()}
            writer.add_hparams(dict(cell.fields), final, run_name=".")
    return f"tensorboard --logdir {directory}"
