"""Errors in the structure of a scenario: unknown and missing keys, and values of the wrong type."""

from collections.abc import Iterable

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from liecbench.config import refused_value
from liecbench.config.axes import AXES, TASK_FIELDS
from liecbench.config.scenario import MATRIX, Scenario
from liecbench.config.schedule_choice import Cosine, Milestones
from liecbench.config.task import Dirichlet
from liecbench.config.yaml_source import Document, Key
from liecbench.errors import ScenarioError, did_you_mean
from liecbench.network.link_text import LinkKeys, LinkMapKeys
from liecbench.network.nearest_link import key_remedy


def structure_error(document: Document, error: ValidationError) -> ScenarioError:
    """Return the exception to raise for ``error``.

    The exception reports the first unknown key, or the first error if no key is unknown. The message starts
    with the place of the mistake in the file.
    """
    first, path = first_error(document, error)
    if first["type"] == "extra_forbidden":
        message = f"there is no key {path[-1]!r} here ({_key_remedy(path[:-1], str(path[-1]))})"
        return document.error(path, message, at_key=True)
    message = refused_value.describe(first)
    if isinstance(first["input"], list) and path[-2:-1] == ("task",):
        message += "; to try several values, write the list under matrix"
    return document.error(path, message)


def first_error(document: Document, error: ValidationError) -> tuple[ErrorDetails, Key]:
    """Return the error to report, and the error's path in the document.

    This is the error of the first unknown key or, if no key is unknown, the first error. A misspelt key also causes an
    error that the correct key is missing, which is less helpful.
    """
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    path: Key = ()
    for index, part in enumerate(first["loc"], start=1):
        # pydantic's location also has names of union members: keep only the keys and indices of the document.
        if (*path, part) not in document.places and path and (*path[:-1], part) in document.places:
            path = (*path[:-1], part)  # the part before was such a name, and also that of a key
        elif (*path, part) in document.places or (index == len(first["loc"]) and isinstance(part, str)):
            path = (*path, part)
    while first["type"] not in ("extra_forbidden", "missing") and path and path not in document.places:
        path = path[:-1]
    return first, path


def _key_remedy(path: Key, key: str) -> str:
    """Return advice on ``key``, which is no valid key of the section at ``path``.

    The advice is the section where the key belongs, a key that is probably meant, or the list of valid keys.
    """
    in_task = path[-1:] == ("task",)
    if (not path or in_task) and key in AXES:
        return "write it under task or matrix" if key in TASK_FIELDS else "write it under matrix"
    if (path == MATRIX or in_task) and key in Scenario.model_fields:
        return "write it at the top level"
    return ("link" in path and key_remedy(key)) or did_you_mean(key, _valid_keys(path))


def _valid_keys(path: Key) -> Iterable[str]:
    if not path:
        return Scenario.model_fields
    if path[-1] == "task":
        return TASK_FIELDS
    if "link" in path:
        return LinkKeys.__annotations__ if "workers" in path else LinkMapKeys.__annotations__
    if "partition" in path:
        return Dirichlet.model_fields
    return {**Milestones.model_fields, **Cosine.model_fields} if "schedule" in path else AXES
