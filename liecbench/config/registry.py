"""The registry of algorithms, compressors, datasets, models, optimizers and problems: classes loaded on demand.

All but optimizers and problems are entry points of installed packages.
"""

import dataclasses
import functools
import inspect
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import ErrorDetails

from liecbench.config import refused_value, user_functions
from liecbench.config.independent_errors import independent_errors
from liecbench.errors import LiecbenchError, did_you_mean

Kind = Literal["algorithm", "compressor", "dataset", "model", "optimizer", "problem"]
_GROUPS: dict[Kind, str] = {
    "algorithm": "liecbench.algorithms",
    "compressor": "liecbench.compressors",
    "dataset": "liecbench.tasks",
    "model": "liecbench.tasks",
}
# The optimizers of tasks, and the functions of theory's studies, are liecbench's own.
_OWN: dict[Kind, dict[str, str]] = {
    "optimizer": {name.lower(): f"liecbench.tasks.task_optimizers:{name}" for name in ("SGD", "AdamW", "Muon")},
    "problem": {name.lower(): f"liecbench.tasks.{name.lower()}:{name}" for name in ("Quadratic", "Logistic")},
}
_SHARED_FIELDS = {"compressor", "server", "block_bytes", "block_order"}


class OptionError(ValueError):
    """The error raised if the name of a class or function, such as ``top_k``, or one of its options is wrong.

    Attributes:
        option: The name of the option that is unknown, missing or has a wrong value. ``"name"`` if the name of the
            class or function is wrong. None if a combination of options is wrong.
        further: An error for each other wrong option of the same class or function.
    """

    def __init__(self, option: str | None, message: str, further: Sequence["OptionError"] = ()) -> None:
        super().__init__(message)
        self.option, self.further = option, further


def _entries(kind: Kind) -> dict[str, EntryPoint]:
    if kind in _OWN:
        return {name: EntryPoint(name, value, f"liecbench.{kind}s") for name, value in _OWN[kind].items()}
    return _installed(_GROUPS[kind])


@functools.cache
def _installed(group: str) -> dict[str, EntryPoint]:
    entries: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        first = entries.setdefault(entry.name, entry)
        if first.value != entry.value:
            owners = " and ".join(f"{e.dist.name if e.dist else '?'} ({e.value})" for e in (first, entry))
            raise LiecbenchError(f"two packages call themselves {entry.name!r} in {group}: {owners}", "uninstall one")
    if not entries:
        raise LiecbenchError(f"no entry points in {group}", "install liecbench (pip install .), not only copy it")
    return entries


def _base(kind: Kind) -> type:
    from liecbench.algorithms.base import Algorithm
    from liecbench.compressors.base import Compressor
    from liecbench.tasks.base import Dataset, Model
    from liecbench.tasks.problem import Problem
    from liecbench.tasks.task_optimizers import TaskOptimizer

    bases: dict[Kind, type] = {
        "algorithm": Algorithm,
        "compressor": Compressor,
        "dataset": Dataset,
        "model": Model,
        "optimizer": TaskOptimizer,
        "problem": Problem,
    }
    return bases[kind]


def names(kind: Kind) -> list[str]:
    """Return the sorted names of all classes of one kind, such as all algorithms."""
    entries = _entries(kind)
    base = _base(kind)
    # Every class must be loaded, because datasets and models share an entry-point group.
    return sorted(name for name, entry in entries.items() if issubclass(_class_behind(entry), base))


@functools.cache
def load(kind: Kind, name: str) -> type[Any]:
    """Return the class that is registered under ``name``.

    Raises:
        OptionError: No class of this kind has the name; the message suggests valid names.
        LiecbenchError: The class cannot be loaded.
    """
    entry = _entries(kind).get(name)
    if entry is None:
        raise OptionError("name", f"there is no {kind} {name!r} ({did_you_mean(name, names(kind))})")
    found = _class_behind(entry)
    if not issubclass(found, _base(kind)):
        raise OptionError("name", f"{name!r} is not a {kind} ({did_you_mean(name, names(kind))})")
    return found


def _class_behind(entry: EntryPoint) -> type[Any]:
    """Return the class that an entry point names. Raises LiecbenchError if it does not load or is not a dataclass."""
    owner = f"{entry.name!r} of {entry.dist.name if entry.dist else '?'} ({entry.value})"
    try:
        found = entry.load()
    except Exception as error:
        raise LiecbenchError(f"{owner} cannot be loaded: {error!r}", "fix or uninstall that package") from error
    if not isinstance(found, type) or not dataclasses.is_dataclass(found):
        raise LiecbenchError(f"{owner} is not a dataclass", "fix or uninstall that package")
    return found


def summary(cls: type) -> str:
    """Return the first line of a class's docstring, without markup."""
    return (inspect.getdoc(cls) or "").partition("\n")[0].replace("``", "")


def option_description(cls: type, option: str) -> str | None:
    """Return the description of an option from the docstring of a class, without double backticks.

    The description is the option's entry under ``Attributes:``. Without an entry, the description is the first sentence
    that has the option's name in double backticks. The docstrings of base classes are searched, too. Return None if
    no docstring describes the option.
    """
    texts = [inspect.cleandoc(own) for base in cls.__mro__ if (own := base.__dict__.get("__doc__"))]
    for text in texts:
        if found := re.search(rf"^ +{option}: (.*(?:\n {{8,}}.*)*)", text, re.MULTILINE):
            return " ".join(found[1].split()).replace("``", "")
    sentences = (one for text in texts for one in re.split(r"(?<=[.]) ", " ".join(text.split())))
    return next((one.replace("``", "") for one in sentences if f"``{option}``" in one), None)


def takes(cls: type, field: Literal["compressor", "server", "block_order"]) -> bool:
    """Return whether ``cls``, the class of an algorithm, has a dataclass field of this name."""
    return any(f.name == field for f in dataclasses.fields(cls))


def default(cls: type, field: str) -> Any:
    """Return the default of a field of an algorithm's class."""
    return next(f.default for f in dataclasses.fields(cls) if f.name == field)


def needs_compressor(algorithm: type) -> bool:
    """Return whether ``algorithm``, the class of an algorithm, has a field ``compressor`` without a default."""
    return takes(algorithm, "compressor") and default(algorithm, "compressor") is dataclasses.MISSING


@functools.cache
def options_model(kind: Kind, name: str) -> type[BaseModel]:
    """Return a pydantic model of the options of a registered class or of a user's function.

    The model of a class has no fields compressor, server, block_bytes and block_order, because a scenario does not give
    these as options.

    Args:
        kind: The kind of the class, or what the user's function makes: a dataset or a model.
        name: The registered name of the class, such as ``top_k``, or the user's function as ``module:function``.

    Raises:
        OptionError: No class of this kind has the name, or the function is missing or cannot be used.
        LiecbenchError: The class cannot be loaded.
    """
    if user_functions.is_reference(name):
        return _reference_options(kind, name)
    cls = load(kind, name)
    hints = get_type_hints(cls, include_extras=True)
    own = [f for f in dataclasses.fields(cls) if f.init and f.name not in _SHARED_FIELDS]
    fields: dict[str, Any] = {
        f.name: (Annotated[hints[f.name], Field(description=option_description(cls, f.name))], _default(f)) for f in own
    }
    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    return create_model(f"{cls.__name__}Options", __config__=config, **fields)


def _reference_options(kind: Kind, name: str) -> type[BaseModel]:
    if kind not in ("dataset", "model"):
        raise OptionError("name", f"{name!r} is not an {kind}; only datasets and models can be your own functions")
    try:
        return user_functions.options_model(name, user_functions.DATA_ARGUMENTS if kind == "model" else ())
    except user_functions.FunctionError as error:
        raise OptionError("name", f"{error}; write module:function, importable from where liecbench runs") from error


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return ... if field.default is dataclasses.MISSING else field.default


def resolve(kind: Kind, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``options``, completed with the defaults of the options that are missing.

    Args:
        kind: The kind of the class, such as ``compressor``.
        name: The registered name of the class, such as ``top_k``. A dataset or a model can also be a user's function,
            written as ``module:function``.
        options: The options that are given, by name.

    Raises:
        OptionError: The name, an option or a combination of options is wrong; ``OptionError.option`` says which.
        LiecbenchError: The class cannot be loaded.
    """
    model = options_model(kind, name)
    try:
        if user_functions.is_reference(name):
            return model(**options).model_dump(mode="json")
        resolved = model(**options).model_dump()
        if kind in ("dataset", "model", "problem") or (kind == "algorithm" and not needs_compressor(load(kind, name))):
            load(kind, name)(**resolved)  # raises ValueError if options contradict each other
        return resolved
    except ValidationError as error:
        found = independent_errors(error.errors(), lambda one: one["loc"][:1])
        errors = [_option_error(kind, name, model, one) for _, one in found]
        raise OptionError(errors[0].option, str(errors[0]), errors[1:]) from None
    except ValueError as error:
        raise OptionError(None, str(error)) from None


def _option_error(kind: Kind, name: str, model: type[BaseModel], error: ErrorDetails) -> OptionError:
    option = str(error["loc"][0]) if error["loc"] else None
    if error["type"] != "extra_forbidden":
        return OptionError(option, f"{refused_value.describe(error)} (`liecbench list {kind}s` shows the options)")
    assert option is not None, "an unknown option has a name"
    if kind == "algorithm" and option in _SHARED_FIELDS:
        is_taken = any(f.name == option for f in dataclasses.fields(load(kind, name)))
        is_of_all = option in ("block_bytes", "block_order")
        where = "at the top level of the scenario" if is_of_all else "in the matrix, or in an entry of include"
        way_out = f"write it {where}" if is_taken else "remove it: the method takes none"
    else:
        way_out = did_you_mean(option, model.model_fields) if model.model_fields else "it takes none"
    return OptionError(option, f"{name} has no option {option!r} ({way_out})")
