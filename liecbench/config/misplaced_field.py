"""The error message for a task field, such as ``accumulate``, that a scenario gives as an option of an algorithm."""

import json
from collections.abc import Mapping
from typing import Any, Final

from liecbench.config import registry
from liecbench.config.axes import TASK_FIELDS

_MOST_CHARACTERS: Final = 60


def misplaced_field(
    kind: registry.Kind, name: str, options: Mapping[str, Any], option: str | None, *, has_task: bool
) -> str | None:
    """Return a message with the right place of a refused option that is a field of the task, else None.

    Args:
        kind: The kind of the class that has the option. Only algorithms have a task of their own.
        name: The registered name of the class.
        options: The options that are given, by name.
        option: The name of the refused option; None if no single option is wrong.
        has_task: True if the algorithm's entry has a ``task`` with fields.
    """
    if kind != "algorithm" or option not in TASK_FIELDS or option in registry.options_model(kind, name).model_fields:
        return None  # no algorithm, no field of the task, or an option of the algorithm with a wrong value
    value = json.dumps(options[option], ensure_ascii=False, default=str)
    field = f"{option}: {value if len(value) <= _MOST_CHARACTERS else '…'}"
    way_out = f"add {field} to the task of this entry" if has_task else f"write task: {{{field}}} in this entry"
    return f"{name} has no option {option!r} (it is a field of the task: {way_out})"
