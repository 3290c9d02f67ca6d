"""Error messages for values that pydantic refuses, in place of pydantic's own messages."""

from typing import Any, Final

MISSING_KEY: Final = "the key is missing; add it"
# By the type of pydantic's error; a number in braces comes from the error's context.
_WORDS: Final = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "should be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "should be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "should be true or false"),
    **dict.fromkeys(("list_type", "tuple_type"), "should be a list"),
    **dict.fromkeys(("dict_type", "model_type", "dataclass_type"), "should be a mapping of keys"),
    "string_type": "should be text",
    "greater_than_equal": "should be at least {ge}",
    "greater_than": "should be above {gt}",
    "less_than_equal": "should be at most {le}",
    "less_than": "should be below {lt}",
    "is_instance_of": "should be a {class}",
}


def requirement(error: Any) -> str:
    """Return the requirement that a refused value violates, as text such as ``should be at least 1``.

    Args:
        error: An item of pydantic's ``ValidationError.errors()``. If a validator of liecbench raised a ValueError, the
            requirement is the message of the ValueError.
    """
    words = _WORDS.get(error["type"])
    if words is not None:
        return words.format(**{name: _whole(value) for name, value in error.get("ctx", {}).items()})
    message = str(error["msg"]).removeprefix("Value error, ")
    for prefix in ("Input ", "Value ", "String ", "Tuple "):
        message = message.removeprefix(prefix)
    return message


def _whole(value: object) -> object:
    """Convert a float without a fraction, such as 1.0, to an integer if its magnitude is below 1e15.

    Return any other value unchanged.
    """
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value
