"""Of the errors that pydantic finds in a mapping, those that do not follow from others."""

from collections.abc import Callable, Iterable

from pydantic_core import ErrorDetails

from liecbench.config.yaml_source import Key
from liecbench.errors import nearest

_UNKNOWN, _MISSING = "extra_forbidden", "missing"


def independent_errors(
    errors: Iterable[ErrorDetails], path_of: Callable[[ErrorDetails], Key]
) -> list[tuple[Key, ErrorDetails]]:
    """Return (path, error) for each error that does not follow from another one, unknown keys first.

    Errors are left out in three cases:

    - A key is missing, and an unknown key in the same mapping may be meant for it. Example: no error says that
      ``epochs`` is missing if ``epoch`` is an unknown key.
    - Another error is about a part of the value. Example: of errors about ``task`` and ``task.epochs``, only the error
      about ``task.epochs`` is returned.
    - Another error is about the same value. Example: of two errors about ``task.epochs``, only the first is returned.

    Args:
        errors: The items of ``ValidationError.errors()``.
        path_of: A function that returns an error's path: the keys and indices that lead to the wrong value.
    """
    found = sorted(((path_of(error), error) for error in errors), key=lambda pair: pair[1]["type"] != _UNKNOWN)
    unknown = [path for path, error in found if error["type"] == _UNKNOWN]
    kept = [pair for pair in found if pair[1]["type"] != _MISSING or not _is_misspelt(*pair, unknown)]
    containing = {path[:length] for path, _ in kept for length in range(len(path))}
    first: dict[Key, ErrorDetails] = {}
    for path, error in kept:
        if path not in containing:
            first.setdefault(path, error)
    return list(first.items())


def _is_misspelt(path: Key, error: ErrorDetails, unknown: Iterable[Key]) -> bool:
    """Return whether an unknown key in the same mapping may stand for the missing key ``path[-1]``."""
    # A mapping that can have several forms lacks the keys of a form that was perhaps not meant. Pydantic's location
    # then has the form's name, besides the keys of the path.
    has_forms = len(error["loc"]) > len(path)
    beside = [str(other[-1]) for other in unknown if other[:-1] == path[:-1]]
    return any(has_forms or nearest(key, [str(path[-1])]) for key in beside)
