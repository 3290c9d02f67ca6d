"""The error message for a task field, such as ``accumulate``, that a scenario gives as an option of an algorithm."""

import json
from typing import Final

from liecbench.config import registry
from liecbench.config.axes import TASK_FIELDS, AlgorithmChoice
from liecbench.config.choice import Choice
from liecbench.config.matrix_point import given

_MOST_CHARACTERS: Final = 60


def misplaced_field(choice: Choice | AlgorithmChoice, option: str | None) -> str | None:
    """Return a message with the right place of a refused option that is a field of the task, else None.

    Args:
        choice: The choice that has the option. Only algorithms have a task of their own.
        option: The name of the refused option; None if no single option is wrong.
    """
    if not isinstance(choice, AlgorithmChoice) or option not in TASK_FIELDS:
        return None
    if option in registry.options_model("algorithm", choice.name).model_fields:
        return None  # the algorithm has the option, and the value is wrong
    value = json.dumps(choice.options[option], ensure_ascii=False, default=str)
    field = f"{option}: {value if len(value) <= _MOST_CHARACTERS else '…'}"
    if given(choice.task):
        way_out = f"add {field} to the task of this entry"
    else:
        way_out = f"write task: {{{field}}} in this entry"
    return f"{choice.name} has no option {option!r} (it is a field of the task: {way_out})"
