"""Reword pydantic's messages in typer's errors about the command line.

Pydantic's messages are for programmers, not for users of a command.
"""

from typing import Any, Final

from liecbench.compressors.wrong_values import requirement

_INSTEAD: Final = {
    "float_parsing": "is no number; write one such as 0.5",
    "int_parsing": "is no whole number; write one such as 8",
    "int_from_float": "is no whole number; write one such as 8",
    "finite_number": "is no finite number; write one such as 0.5",
}


def usage_message(error: Any) -> str:
    """Return the message for an error of typer. If pydantic refused a value, the message says what to write instead.

    Args:
        error: The error. Its ``__cause__`` is pydantic's error if pydantic refused a value.
    """
    message: str = error.message
    details = getattr(error.__cause__, "errors", None)
    if details is None:
        return message
    first = details()[0]
    if first["type"] == "value_error":
        return message.replace("Value error, ", "")
    words = _INSTEAD.get(first["type"]) or requirement(first)
    return f"{first['input']!r} {words}"
