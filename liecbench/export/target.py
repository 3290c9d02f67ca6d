"""The tools for which ``liecbench export --to TOOL`` writes results, such as ``csv`` and ``mlflow``."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from liecbench.errors import LiecbenchError
from liecbench.report.formats import NamedModule

if TYPE_CHECKING:
    from liecbench.results.comparison import Comparison


class Writer(Protocol):
    """The interface of a module that writes results for one tool."""

    def write(self, comparison: "Comparison", directory: Path, /) -> str:
        """Write the results to ``directory``, and return a shell command that shows or uploads the written files.

        ``directory`` must exist and be empty.
        """


class Target(NamedModule):
    """The tools for which results can be written, each with the name of the module that writes the files."""

    TENSORBOARD = "tensorboard", "liecbench.export.tensorboard_runs"
    WANDB = "wandb", "liecbench.export.wandb_runs"
    MLFLOW = "mlflow", "liecbench.export.mlflow_runs"
    CSV = "csv", "liecbench.export.csv_files"

    def write(self, comparison: "Comparison", directory: Path) -> str:
        """Write the results as files for the tool ``self``, such as MLflow.

        Return a shell command that shows or uploads the files.

        Args:
            comparison: The results.
            directory: The directory for the files. It must be empty, or not exist yet.

        Raises:
            LiecbenchError: If ``directory`` is a file or is not empty, or if a package that the tool needs is missing.
            OSError: If the directory cannot be written.
        """
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise LiecbenchError(f"{directory} exists and is not empty", "give a new directory with -o")
        try:
            writer = cast("Writer", importlib.import_module(self.module))
        except ImportError as error:
            message = f"--to {self} needs a package that cannot be imported ({error})"
            raise LiecbenchError(message, "pip install 'liecbench[export]'") from None
        directory.mkdir(parents=True, exist_ok=True)
        return writer.write(comparison, directory)
