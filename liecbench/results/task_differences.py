"""The fields of the task, such as the learning rate, in which a row differs from the baseline."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from liecbench.config.cell_fields import LATER_FIELDS
from liecbench.config.short_lists import listed
from liecbench.results.row_labels import field_label
from liecbench.results.rows import Row
from liecbench.results.verdict_words import Words

# These do not change what is trained.
_WITHOUT_EFFECT: Final = frozenset({"profile", "warmup_steps"})
_MAX_ROWS_NAMED: Final = 6


def task_differences(own: Mapping[str, Any], baseline: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the fields of the task that differ between two cells: (value in ``own``, value in ``baseline``) by name.

    Fields that do not change what is trained, such as ``warmup_steps``, are left out.

    Args:
        own: The spec of the first cell.
        baseline: The spec of the second cell, which belongs to the baseline.
    """
    mine, other = ({**LATER_FIELDS, **spec["task"]} for spec in (own, baseline))
    names = [name for name in mine if name not in _WITHOUT_EFFECT]
    return {name: (mine[name], other.get(name)) for name in names if mine[name] != other.get(name)}


def difference_lines(rows: Sequence[Row], words: Words) -> list[str]:
    """Return a list with one sentence on the rows whose task differs from the baseline's; ``[]`` if none does.

    The rows may be of several settings. What holds for a method in several of them is said once.
    """
    found = [f"{words.name(row)} ({_text(row)})" for row in rows if row.task_differences and row.num_completed]
    texts = list(dict.fromkeys(found))
    more = [f"{len(texts) - _MAX_ROWS_NAMED} more"] if len(texts) > _MAX_ROWS_NAMED else []
    return [f"trained otherwise than {words.baseline}: {listed([*texts[:_MAX_ROWS_NAMED], *more])}"] if texts else []


def _text(row: Row) -> str:
    return ", ".join(
        f"{_value(name, own)} instead of {_value(name, other).removeprefix(name.replace('_', ' ')).strip()}"
        for name, (own, other) in (
            (name, map(_named, values) if _names_differ(*values) else values)
            for name, values in row.task_differences.items()
        )
    )


def _names_differ(*values: Any) -> bool:
    return len({str(_named(value)) for value in values}) > 1


def _named(value: Any) -> Any:
    return value["name"] if isinstance(value, dict) and "name" in value else value


def _value(name: str, value: object) -> str:
    if isinstance(value, dict) and "name" in value:
        options = ", ".join(f"{key} {item}" for key, item in value.items() if key != "name")
        text = f"{value['name']} ({options})" if options else str(value["name"])
    else:
        text = "none" if value is None else value if isinstance(value, str) else field_label(value, name)
    return text if text.startswith(name.replace("_", " ")) else f"{name.replace('_', ' ')} {text}"
