"""Mistakes in a scenario: a check yields all that it finds, so that one run of the command reports them together."""

from collections.abc import Iterable
from dataclasses import dataclass

from liecbench.config.overrides import OPTION
from liecbench.config.yaml_source import Document, Key
from liecbench.errors import ScenarioError


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake at one place of a document.

    Attributes:
        path: The keys and indices that lead to the value, such as ``("matrix", "algorithm", 0)``.
        message: The text that says what is wrong with the value, and what to do.
        at_key: Whether the place of the mistake is the value's key instead of the value.
    """

    path: Key
    message: str
    at_key: bool = False


def refuse(document: Document, mistakes: Iterable[Mistake]) -> None:
    """Raise ScenarioError if there are mistakes. The message has each of them once, in the order of the document."""
    found = list(dict.fromkeys(mistakes))
    if not found:
        return
    order = {path: index for index, path in enumerate(document.places)}
    found.sort(key=lambda mistake: order.get(document.nearest(mistake.path), 0))
    errors, in_file = dict[object, ScenarioError](), False
    for mistake in found:
        where, lacking = document.position(mistake.path, at_key=mistake.at_key)
        if where.startswith(document.source):
            in_file = True
        else:
            lacking = mistake.path  # all values of a --set have one position
        # Aliases repeat a mistake at other paths.
        error = document.error(mistake.path, mistake.message, at_key=mistake.at_key)
        errors.setdefault((where, lacking, mistake.message), error)
    raise ScenarioError.together(document.source if in_file else OPTION, list(errors.values()))
