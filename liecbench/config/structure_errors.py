"""Errors in the structure of a scenario: unknown and missing keys, and values of the wrong type."""

from collections.abc import Iterable, Iterator

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from liecbench.config import refused_value
from liecbench.config.axes import AXES, TASK_FIELDS
from liecbench.config.independent_errors import independent_errors
from liecbench.config.mistakes import Mistake
from liecbench.config.scenario import MATRIX, Scenario
from liecbench.config.schedule_choice import schedule_keys
from liecbench.config.task import Dirichlet
from liecbench.config.yaml_source import Document, Key
from liecbench.errors import did_you_mean
from liecbench.network.link_text import LinkKeys, LinkMapKeys
from liecbench.network.nearest_link import key_remedy


def structure_mistakes(document: Document, error: ValidationError) -> Iterator[Mistake]:
    """Yield a mistake for each unknown or missing key and each wrong value that ``error`` is about.

    Mistakes that follow from others are left out, such as a missing key beside its misspelt name.
    """
    for path, one in errors_with_paths(document, error):
        if one["type"] == "extra_forbidden":
            message = f"there is no key {path[-1]!r} here ({_key_remedy(document, path[:-1], str(path[-1]))})"
            yield Mistake(path, message, at_key=True)
            continue
        message = refused_value.describe(one)
        if isinstance(one["input"], list) and path[-2:-1] == ("task",):
            message += "; to try several values, write the list under matrix"
        yield Mistake(path, message)


def errors_with_paths(document: Document, error: ValidationError) -> list[tuple[Key, ErrorDetails]]:
    """Return the errors in ``error`` that should be reported, each with its path in the document."""
    return independent_errors(error.errors(), lambda one: _path(document, one))


def _path(document: Document, error: ErrorDetails) -> Key:
    path: Key = ()
    for index, part in enumerate(error["loc"], start=1):
        # pydantic's location also has names of union members: keep only the keys and indices of the document.
        if (*path, part) not in document.places and path and (*path[:-1], part) in document.places:
            path = (*path[:-1], part)  # the part before was such a name, and also that of a key
        elif (*path, part) in document.places or (index == len(error["loc"]) and isinstance(part, str)):
            path = (*path, part)
    while error["type"] not in ("extra_forbidden", "missing") and path and path not in document.places:
        path = path[:-1]
    return path


def _key_remedy(document: Document, path: Key, key: str) -> str:
    """Return advice on ``key``, which is no valid key of the section at ``path``.

    The advice is the section where the key belongs, a key that is probably meant, or the list of valid keys.
    """
    in_task = path[-1:] == ("task",)
    if (not path or in_task) and key in AXES:
        return "write it under task or matrix" if key in TASK_FIELDS else "write it under matrix"
    if (path == MATRIX or in_task) and key in Scenario.model_fields:
        return "write it at the top level"
    return ("link" in path and key_remedy(key)) or did_you_mean(key, _valid_keys(document, path))


def _valid_keys(document: Document, path: Key) -> Iterable[str]:
    if not path:
        return Scenario.model_fields
    if path[-1] == "task":
        return TASK_FIELDS
    if "link" in path:
        return LinkKeys.__annotations__ if "workers" in path else LinkMapKeys.__annotations__
    if "partition" in path:
        return Dirichlet.model_fields
    return schedule_keys(document.value(path)) if "schedule" in path else AXES
