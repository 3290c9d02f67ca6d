"""Overrides of a scenario's values by the option ``--set PATH=VALUE``."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from liecbench.config.yaml_source import Document, Key, Place, dotted, parse
from liecbench.errors import ScenarioError

OPTION: Final = "--set"


def override_all(document: Document, assignments: Iterable[str]) -> Document:
    """Return a copy of ``document`` in which each ``--set PATH=VALUE`` has set the value at PATH, in order.

    Args:
        document: The document, which stays unchanged.
        assignments: ``PATH=VALUE`` of each ``--set``.

    Raises:
        ScenarioError: If any of the assignments cannot be applied. The message has the mistakes of all of them.
    """
    wrong: dict[str, ScenarioError] = {}
    for assignment in assignments:
        # Whether a path below that of a refused assignment is valid depends on the latter's value.
        above = [one.partition("=")[0] for one in wrong]
        if assignment.startswith(tuple(f"{path}{sign}" for path in above for sign in ".[")):
            continue
        try:
            document = override(document, assignment)
        except ScenarioError as error:
            wrong[assignment] = error
    if wrong:
        raise ScenarioError.together(OPTION, list(wrong.values()))
    return document


def override(document: Document, assignment: str) -> Document:
    """Return a copy of ``document`` in which the option ``--set PATH=VALUE`` has set the value at PATH.

    Later errors about the new value start with ``--set PATH=VALUE`` instead of a file, line and column.

    Args:
        document: The document, which stays unchanged.
        assignment: The text ``PATH=VALUE``, such as ``task.epochs=2``.

    Raises:
        ScenarioError: If the assignment cannot be applied.
    """
    path_text, sign, value_text = assignment.partition("=")
    source = f"{OPTION} {assignment}"
    if not sign or not path_text:
        raise ScenarioError(f"{source}: not PATH=VALUE; write for example --set task.epochs=2")
    value = parse(f"{json.dumps(path_text)}: {value_text}", source)  # errors within the value then start with its path
    path = _path(document, path_text, source)
    data = _replaced(document.data, path, value.data[path_text])
    here = Place(source, source)
    places = {key: place for key, place in document.places.items() if key[: len(path)] != path}
    places |= {path[:length]: here for length in range(1, len(path)) if path[:length] not in places}
    places |= {(*path, *key[1:]): here for key in value.places if key}
    return Document(data, places, document.source)


def _path(document: Document, text: str, source: str) -> Key:
    """Split ``text`` into keys and indices: ``studies[0].steps`` into ``("studies", 0, "steps")``.

    An index may also be written with a dot: ``studies.0.steps``. A number is an index only if the document has a list
    there; otherwise, it is a key. Keys that the document lacks are allowed.

    Args:
        document: The document that the path refers to.
        text: The path as the user wrote it.
        source: The beginning of error messages.

    Raises:
        ScenarioError: If an index is out of range, if a list is given a name instead of an index, or if the path goes
            on below a plain value.
    """
    path: Key = ()
    above: Any = document.data
    for part in re.sub(r"\[(\d+)\]", r".\1", text).split("."):
        if isinstance(above, list):
            if not part.isdecimal():
                example = dotted((*path, 0))
                raise ScenarioError(
                    f"{source}: {dotted(path)}: a list has no key {part!r}; name an entry, as in {example}"
                )
            if int(part) >= len(above):
                entries = f"{len(above)} {'entry' if len(above) == 1 else 'entries'}, counted from 0"
                raise ScenarioError(f"{source}: {dotted(path)}: the list has {entries}; set {dotted(path)} as a whole")
            path, above = (*path, int(part)), above[int(part)]
        elif above is None or isinstance(above, dict):
            path, above = (*path, part), (above or {}).get(part)
        else:
            key = dotted(path)
            raise ScenarioError(f"{source}: {key}: {above!r} has no keys; set {key} as a whole, such as {{name: …}}")
    return path


def _replaced(data: Any, path: Key, value: Any) -> Any:
    if not path:
        return value
    if isinstance(data, list):
        return [_replaced(item, path[1:], value) if index == path[0] else item for index, item in enumerate(data)]
    inner = data if isinstance(data, dict) else {}
    return {**inner, path[0]: _replaced(inner.get(path[0]), path[1:], value)}
