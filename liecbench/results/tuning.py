"""Selection of the best value of a tuned field, for `liecbench compare --best`."""

import json
import math
import statistics
from collections.abc import Sequence
from typing import Final

from liecbench.config.cell_fields import flat_fields
from liecbench.config.cell_keys import COMPUTE_FIELDS
from liecbench.errors import LiecbenchError, did_you_mean
from liecbench.results.cells import CellResult

# These fields do not change accuracy: cells that differ only in them share one best value of the tuned field.
_WITHOUT_EFFECT_ON_ACCURACY: Final = frozenset({"seed", "link", "timing", "enforcement", "emulator", *COMPUTE_FIELDS})


def tuning_note(cells: Sequence[CellResult], field: str) -> str:
    """Return a note for reports, which says that each method is shown with its best value of ``field``.

    An example is ``each method at its best learning_rate: chosen by the accuracy of every other seed, compared by the
    remaining seeds``. "Every other seed" means every second seed. If there is only one seed, the note says that this
    seed both chooses the best values and compares the methods.

    Args:
        cells: The cells of all methods, with every value of the field.
        field: The name of the tuned field, such as ``learning_rate``.
    """
    completed = [cell for cell in cells if cell.status == "completed"]
    measure = "test loss" if completed and all(cell.is_language_model for cell in completed) else "accuracy"
    if len({cell.spec["seed"] for cell in cells}) == 1:
        chosen = f"chosen by the {measure} of the only seed, by which they are also compared"
    else:
        chosen = f"chosen by the {measure} of every other seed, compared by the remaining seeds"
    return f"each method at its best {field}: {chosen}"


def at_best(cells: Sequence[CellResult], field: str) -> list[CellResult]:
    """Return the cells with the best value of a tuned field, such as the learning rate.

    Each group of cells has a best value of its own. A group consists of cells of one results directory that agree in
    all fields that can change accuracy, except the tuned field and the seed.

    Every second seed chooses the best value: of the seeds 0, 1, 2 and 3, the seeds 0 and 2. Only cells of the seeds 1
    and 3 are then returned, because a seed that chooses makes the best value look better than it is. A single seed
    chooses the best value, and its cells are returned.

    The best value has the fewest failed and diverged cells, counted over all seeds. A tie goes to the highest mean
    accuracy over the seeds that choose, or for language models to the lowest mean test loss.

    Args:
        cells: The cells of all methods, with every value of the field.
        field: The name of the tuned field, such as ``learning_rate``.

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
    seeds = sorted({cell.spec["seed"] for cell in cells})
    selecting = set(seeds[::2])
    reported = set(seeds[1::2]) or selecting

    def score(tried: Sequence[CellResult]) -> tuple[int, float]:
        failed = sum(cell.status in ("failed", "diverged") for cell in tried)
        return -failed, _mean_score([cell for cell in tried if cell.spec["seed"] in selecting])

    best = [cell for values in alike.values() for cell in max(values.values(), key=score)]
    return [cell for cell in best if cell.spec["seed"] in reported]


def _mean_score(cells: Sequence[CellResult]) -> float:
    """Return the completed cells' mean accuracy after the last epoch; −∞ if no cell completed.

    For language models, return the negative mean test loss instead.
    """
    reached = [
        -cell.epochs[-1].test_loss if cell.is_language_model else cell.epochs[-1].test_accuracy
        for cell in cells
        if cell.status == "completed"
    ]
    return statistics.fmean(reached) if reached else -math.inf
