"""The words of typer's errors about the command line, in place of those of the library that checks values for typer."""

from typing import Any, Final

from liecbench.compressors.wrong_values import requirement

_INSTEAD: Final = {
    "float_parsing": "is no number; write one such as 0.5",
    "int_parsing": "is no whole number; write one such as 8",
    "int_from_float": "is no whole number; write one such as 8",
    "finite_number": "is no finite number; write one such as 0.5",
}


def usage_message(error: Any) -> str:
    """Return the message of one of typer's errors: with the value that was given, and what to write instead.

    Args:
        error: The error. If typer raised it because pydantic refused a value, pydantic's error is its cause.
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
