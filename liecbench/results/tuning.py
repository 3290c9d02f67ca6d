"""Selection of the best value of a tuned field, for `liecbench compare --best`."""

import json
import math
import statistics
from collections.abc import Sequence
from typing import Final

from liecbench.config.cell_fields import flat_fields
from liecbench.errors import LiecbenchError, did_you_mean
from liecbench.results.cells import CellResult

# These fields do not change accuracy: cells that differ only in them share one best value of the tuned field.
_WITHOUT_EFFECT_ON_ACCURACY: Final = frozenset({"seed", "link", "timing", "enforcement"})


def at_best(cells: Sequence[CellResult], field: str) -> list[CellResult]:
    """Return the cells that have the best value of the tuned field ``field``, for each method and setting.

    Cells compete if they agree in every other field that can change accuracy. Their best value of ``field`` is the one
    with the highest mean accuracy; cells with other values are dropped.

    Raises:
        LiecbenchError: If no cell has the field.
    """
    known = {name for cell in cells for name in flat_fields(cell.spec)} - {"seed"}
    if field not in known:
        raise LiecbenchError(f"--best {field}: there is no such field", did_you_mean(field, known))
    alike: dict[str, dict[str, list[CellResult]]] = {}
    for cell in cells:
        fields = {
            name: value for name, value in flat_fields(cell.spec).items() if name not in _WITHOUT_EFFECT_ON_ACCURACY
        }
        value = str(fields.pop(field, None))
        alike.setdefault(json.dumps([fields, cell.directory]), {}).setdefault(value, []).append(cell)
    return [cell for values in alike.values() for cell in max(values.values(), key=_mean_accuracy)]


def _mean_accuracy(cells: Sequence[CellResult]) -> float:
    """Return the completed cells' mean accuracy after the last epoch; −∞ if no cell completed.

    Each failed or diverged cell subtracts 1, so that a value that failed ranks below every value that did not.
    """
    reached = [cell.epochs[-1].test_accuracy for cell in cells if cell.status == "completed"]
    failed = sum(cell.status in ("failed", "diverged") for cell in cells)
    return statistics.fmean(reached) - failed if reached else -math.inf
