"""Warnings if the file of a user's own model has changed since cells of a results directory were trained with it."""

from collections.abc import Iterable

from liecbench.config import user_functions
from liecbench.config.cell import Cell
from liecbench.results.cells import CellResult


def changed_models(cells: Iterable[Cell], done: Iterable[CellResult]) -> list[str]:
    """Return one warning per user's model, such as ``my_models:small``, whose file changed after cells were trained.

    Args:
        cells: The cells of a scenario. Only their models are checked.
        done: The cells in the scenario's results directory. Cells without epochs, or without a recorded hash of the
            model's file, are ignored.
    """
    names = sorted({cell.task.model.name for cell in cells})
    hashes = {name: digest for name in names if (digest := user_functions.file_sha256(name)) is not None}
    trained = [cell for cell in done if cell.epochs]
    sentences = []
    for name, digest in hashes.items():
        recorded = [_recorded(cell) for cell in trained if cell.spec["task"].get("model", {}).get("name") == name]
        count = sum(found is not None and found != digest for found in recorded)
        if count:
            sentences.append(
                f"the file of {name} has changed since {count} cell{'s' * (count > 1)} began: "
                "their results are the old model's; to train all cells with the new one, give another --out"
            )
    return sentences


def version_warnings(cells: Iterable[CellResult]) -> list[str]:
    """Return one warning if the cells were trained with different versions of a user's model, else an empty list.

    ``cells`` are the cells of one row, which have the same model.
    """
    versions = {_recorded(cell) for cell in cells} - {None}
    return ["its cells were trained with different versions of the model's file"] if len(versions) > 1 else []


def _recorded(cell: CellResult) -> str | None:
    return cell.environment.model_sha256
