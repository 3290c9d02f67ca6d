"""Warnings if a user's own code has changed since cells of a results directory were trained or timed with it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

from liecbench.config import own_code
from liecbench.config.cell import Cell
from liecbench.config.own_code import CodeFile, Part
from liecbench.results.cells import CellResult


def changed_code(cells: Iterable[Cell], done: Mapping[str, CellResult]) -> list[str]:
    """Return one warning per user's method, compressor, dataset or model whose file changed after cells began.

    Args:
        cells: The cells of a run.
        done: The cells in the run's results directory, by id. Cells that have neither epochs nor timings are ignored,
            and so are cells without a recorded hash of the file.
    """
    found: dict[str, set[str]] = {}
    for cell in cells:
        present, names = own_code.code_files(cell), own_code.part_names(cell)
        for result in (done.get(cell.id), done.get(cell.trained_cell.id)):
            recorded = {} if result is None or not (result.epochs or result.timings) else recorded_code(result)
            for part in present.keys() & recorded.keys():
                if present[part].sha256 != recorded[part].sha256:
                    found.setdefault(names[part], set()).add(cell.id)
    return [_sentence(name, len(ids)) for name, ids in sorted(found.items())]


def _sentence(name: str, count: int) -> str:
    begun = f"the file of {name} has changed since {count} cell{'s' * (count > 1)} began"
    return f"{begun}: the results are the old code's; to train all cells with the new one, give another --out"


def version_warnings(cells: Sequence[CellResult]) -> list[str]:
    """Return one warning per part, such as the model, of which the cells were trained with different versions.

    ``cells`` are the cells of one row, which have the same parts.
    """
    recorded = [recorded_code(cell) for cell in cells]
    found = {part: {files[part].sha256 for files in recorded if part in files} for part in get_args(Part)}
    return [
        f"its cells were trained with different versions of the {part}'s file"
        for part, versions in found.items()
        if len(versions) > 1
    ]


def recorded_code(cell: CellResult) -> Mapping[Part, CodeFile]:
    """Return the files of the user's own code that are recorded for a cell, by part; empty if none is recorded."""
    environment = cell.environment
    if environment.code is not None:
        return environment.code
    if environment.model_sha256 is None:
        return {}
    # Earlier versions recorded only a model's file.
    module = str(cell.spec["task"]["model"]["name"]).partition(":")[0]
    return {"model": CodeFile(module=module, sha256=environment.model_sha256)}
