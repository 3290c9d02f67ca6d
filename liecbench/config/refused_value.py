"""Error messages for values that pydantic refuses: the value, what is wrong with it, and what to write instead."""

from typing import Any

from liecbench.compressors.wrong_values import MISSING_KEY, requirement
from liecbench.config.nearest_value import nearest_boolean, nearest_number
from liecbench.config.scenario_name import NAME_PATTERN, NAME_RULE


def describe(error: Any) -> str:
    """Return an error message that quotes the wrong value, for one item of pydantic's ``ValidationError.errors()``."""
    if error["type"] == "missing":
        return MISSING_KEY
    if error["type"] == "value_error":
        return requirement(error)
    if error["type"] == "too_short":
        if error["input"]:
            return f"{error['input']!r} has too few values; give {error['ctx']['min_length']}"
        return f"{error['input']!r} is empty; give at least one value"
    value = error["input"]
    if value is None:
        return f"no value; it {requirement(error)}"
    if error["type"] == "string_pattern_mismatch" and error["ctx"]["pattern"] == NAME_PATTERN:
        return f"{value!r} {NAME_RULE}"
    written = str(value).lower() if isinstance(value, bool) else repr(value)
    return f"{written} {requirement(error)}{_write_instead(error['type'], value)}"


def _write_instead(error_type: str, value: object) -> str:
    if error_type == "string_type" and not isinstance(value, list | dict):
        return "; put it in quotes"
    if error_type == "bool_type":
        nearest = nearest_boolean(value)
    elif error_type in ("int_type", "int_from_float", "float_type"):
        nearest = nearest_number(value, whole=error_type != "float_type")
        if nearest is None and isinstance(value, str) and any(map(str.isdigit, value)):
            return "; write digits alone, such as 20"
    else:
        return ""
    quotes = " without quotes" if nearest == value else ""
    return "" if nearest is None else f"; write {nearest}{quotes}"
