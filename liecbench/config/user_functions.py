"""Datasets and models that a scenario gives as ``module:function``: a Python function of the user's own."""

import functools
import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, PydanticUserError, StrictBool, create_model
from pydantic.errors import PydanticSchemaGenerationError

from liecbench.errors import Interruption

# Facts about the data, which liecbench passes to a model's function that has arguments of these names.
DATA_ARGUMENTS = ("input_shape", "num_classes")
_PLAIN = (type(None), bool, int, float, str, list, tuple, dict)


class FunctionError(ValueError):
    """An error because liecbench cannot use a ``module:function`` of a scenario.

    The module cannot be imported or has no such function, or the function's arguments cannot be options of a scenario.
    """


# The form of ``module:function``; only an import tells whether the function exists.
PATTERN = r"^[\w.]+:\w+$"


def is_reference(name: str) -> bool:
    """Return whether a name is a ``module:function`` rather than a name of the registry."""
    return ":" in name


@functools.cache
def function(name: str) -> Callable[..., Any]:
    """Import and return the function that ``name`` gives as ``module:function``.

    The module may be a file in the working directory.

    Raises:
        FunctionError: The module cannot be imported, or has no such function.
    """
    module_name, _, attribute = name.partition(":")
    # Append the working directory at the end, so that none of its files is imported instead of an installed package.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except Interruption:
        raise
    except (Exception, SystemExit) as error:
        raise FunctionError(f"{module_name!r} cannot be imported: {type(error).__name__}: {error}") from error
    found: Callable[..., Any] | None = getattr(module, attribute, None)
    if not callable(found):
        place = getattr(module, "__file__", None) or "built in"
        raise FunctionError(f"{module_name!r} ({place}) has no function {attribute!r}")
    return found


def file_sha256(name: str) -> str | None:
    """Return the SHA-256 of the file that defines the function ``name``, written as ``module:function``.

    Return None for a name of another form, and if there is no file.

    Raises:
        FunctionError: If the function does not exist.
    """
    if not is_reference(name):
        return None
    module = getattr(function(name), "__module__", name.partition(":")[0])
    path = getattr(sys.modules.get(module), "__file__", None)
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path and Path(path).is_file() else None


@functools.cache
def options_model(name: str, given: tuple[str, ...]) -> type[BaseModel]:
    """Return a pydantic model class whose fields are the options of a user's function.

    Every argument of the function is an option, unless it is in ``given`` or YAML cannot express its default. A
    function with ``**kwargs`` accepts options of any name.

    Args:
        name: The function, as ``module:function``.
        given: The names of the arguments that liecbench passes, such as ``input_shape``.

    Raises:
        FunctionError: If the function does not exist or cannot be imported, or its arguments cannot be options.
    """
    found = function(name)
    try:
        hints = get_type_hints(found, include_extras=True)
    except (NameError, TypeError):
        hints = {}
    fields: dict[str, Any] = {}
    extra = False
    try:
        for parameter in inspect.signature(found).parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                extra = True
            elif parameter.name not in given and parameter.kind is not parameter.VAR_POSITIONAL:
                required = parameter.default is parameter.empty
                if required or isinstance(parameter.default, _PLAIN):
                    hint = hints.get(parameter.name, _type_of_default(parameter.default))
                    fields[parameter.name] = (hint, ... if required else parameter.default)
        config = ConfigDict(extra="allow" if extra else "forbid", allow_inf_nan=False, protected_namespaces=())
        return create_model("Options", __config__=config, **fields)
    except (ValueError, TypeError, NameError, PydanticUserError, PydanticSchemaGenerationError) as error:
        reason = str(error).partition("\n")[0]
        raise FunctionError(f"the arguments of {name!r} cannot be options: {reason}") from error


def _type_of_default(default: object) -> Any:
    """Return pydantic's type of an argument without a type hint: strict bool if its default is a bool, else any type.

    A strict bool refuses text. YAML 1.2 reads ``no`` and ``off`` as text, which the function would take for true.
    """
    return StrictBool if isinstance(default, bool) else Any


def call(name: str, options: BaseModel, given: Mapping[str, Any]) -> Any:
    """Call a user's function and return the function's result.

    Args:
        name: The function, as ``module:function``.
        options: The options from the scenario. All are passed, by name.
        given: Values that liecbench provides, by name, such as ``input_shape``. A value is passed only if the function
            has an argument of this name.
    """
    found = function(name)
    asked = {key: value for key, value in given.items() if key in inspect.signature(found).parameters}
    return found(**dict(options), **asked)
