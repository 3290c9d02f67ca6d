"""The cells that ``--only KEY=VALUE`` selects."""

from collections.abc import Mapping, Sequence, Set

from liecbench.config.cell import Cell
from liecbench.config.cell_fields import field_text, flat_fields
from liecbench.errors import LiecbenchError, did_you_mean


def select(cells: list[Cell], conditions: Sequence[str]) -> list[Cell]:
    """Return the cells that meet ``conditions``, each of the form ``KEY=VALUE``.

    For each key, a cell must have one of the values that the conditions give for this key.

    Raises:
        LiecbenchError: A condition is not ``KEY=VALUE``, its key is not a field, or no cell is left.
    """
    wanted: dict[str, set[str]] = {}
    known = {name for cell in cells for name in flat_fields(cell.spec())}
    for condition in conditions:
        key, sign, value = condition.partition("=")
        if not sign:
            raise LiecbenchError(f"--only {condition}: not KEY=VALUE", "write for example --only algorithm=liec")
        if key not in known:
            raise LiecbenchError(f"--only {condition}: the cells have no {key!r}", did_you_mean(key, known))
        wanted.setdefault(key, set()).add(field_text(key, value))
    chosen = [c for c in cells if all(str(flat_fields(c.spec()).get(k)) in v for k, v in wanted.items())]
    if not chosen:
        raise LiecbenchError(f"no cell matches `--only {' '.join(conditions)}`", _remedy(cells, wanted))
    return chosen


def _remedy(cells: list[Cell], wanted: Mapping[str, Set[str]]) -> str:
    """Return advice for the user if no cell meets all conditions.

    - If no cell has any wanted value of a key, name the key's existing values, such as ``workers is 2 or 4``.
    - Otherwise, advise to leave out a condition.
    """
    fields = [flat_fields(cell.spec()) for cell in cells]
    for key, values in wanted.items():
        found = dict.fromkeys(str(each[key]) for each in fields if key in each)
        if values.isdisjoint(found):
            return f"{key} is {' or '.join(found)}"
    return "no cell meets all of these conditions: leave one out"
