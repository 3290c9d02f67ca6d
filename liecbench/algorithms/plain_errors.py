"""A metaclass by which wrong options of an algorithm raise TypeError or ValueError, with a message in plain words."""

import dataclasses
from abc import ABCMeta
from typing import Any

from pydantic import ValidationError

from liecbench.compressors.wrong_values import requirement


class PlainErrors(ABCMeta):
    """The metaclass of algorithms, which makes constructors raise TypeError or ValueError, not pydantic's errors."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Return a new instance.

        Raises:
            TypeError: If an option is given by position, unknown or missing.
            ValueError: If an option has a wrong value.
        """
        if args:
            raise TypeError(f"{cls.__name__} takes its options by name, such as {_example(cls, args[0])}")
        try:
            return super().__call__(**kwargs)
        except ValidationError as error:
            first = error.errors()[0]
        option = str(first["loc"][0]) if first["loc"] else ""
        options = ", ".join(_options(cls))
        if first["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
            raise TypeError(f"{cls.__name__} needs the option {option}; its options are {options}")
        if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            raise TypeError(f"{cls.__name__} has no option {option!r}; its options are {options}")
        message = requirement(first)
        if first["type"] != "value_error":
            message += f", not {first['input']!r}"
        raise ValueError(f"{cls.__name__}: {option + ': ' if option else ''}{message}")


def _options(cls: type) -> list[str]:
    return [field.name for field in dataclasses.fields(cls) if field.init]


def _example(cls: type, value: object) -> str:
    name = "compressor" if "compressor" in _options(cls) else next(iter(_options(cls)), "")
    return f"{cls.__name__}({name}={value!r})"
