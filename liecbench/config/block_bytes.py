"""The pydantic type of a block's size: a number of bytes, a text such as ``25MiB``, or ``whole`` for a single block."""

from typing import Annotated, Final, Literal

from annotated_types import Ge, Le
from pydantic import BeforeValidator, WithJsonSchema

from liecbench.network.quantity import SIZE
from liecbench.network.quantity_text import parse_size

_MOST_BYTES: Final = 2**40


def _parse(value: object) -> object:
    if value == "whole":
        return value
    try:
        return parse_size(value)
    except ValueError as error:
        raise ValueError(f"{error}, or whole for a single block") from None


BlockBytes = Annotated[
    Annotated[int, Ge(1), Le(_MOST_BYTES)] | Literal["whole"],
    BeforeValidator(_parse),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": _MOST_BYTES},
                {"type": "string", "pattern": SIZE.pattern},
                {"const": "whole"},
            ]
        }
    ),
]
