"""The JSON Schema of scenario files, with every installed name and option, for editors that complete and check them."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from liecbench.config.scenario import Scenario

# A schema that is shorter is not worth a reference.
_FEWEST_CHARACTERS: Final = 150


def scenario_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a scenario file, including short forms such as a name without options.

    Parts that occur several times, such as links, are under ``$defs``.
    """
    schema = {
        **_without_titles(Scenario.model_json_schema()),
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "liecbench scenario",
    }
    counts = Counter(text for text, _ in _parts(schema, ""))
    names: dict[str, str] = {}
    for text, name in _parts(schema, ""):
        if counts[text] > 1 and text not in names:
            taken = {*names.values(), *schema["$defs"]}
            names[text] = next(one for one in _numbered(name) if one not in taken)
    definitions = {name: _shared(json.loads(text), names, at_top=True) for text, name in names.items()}
    shared: dict[str, Any] = _shared(schema, names, at_top=True)
    return {**shared, "$defs": {**shared["$defs"], **definitions}}


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}{number}"
        number += 1


def _without_titles(node: Any, *, of_names: bool = False) -> Any:
    """Return the schema ``node`` without pydantic's titles, which only repeat the names of fields and classes.

    ``of_names`` is True if ``node`` maps names of fields or definitions to schemas. A key ``title`` of ``node`` is then
    a name, and is kept.
    """
    if isinstance(node, list):
        return [_without_titles(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _without_titles(value, of_names=not of_names and key in ("properties", "$defs"))
        for key, value in node.items()
        if of_names or key != "title"
    }


def _parts(node: Any, name: str, *, of_names: bool = False) -> Iterator[tuple[str, str]]:
    """Yield (JSON text, name) for each schema in ``node`` whose text has at least ``_FEWEST_CHARACTERS`` characters.

    The schemas are ``node`` itself and those nested in it. The text omits the schema's description and default. The
    name is that of the field or definition to which the schema belongs, or the value of its property ``name`` if that
    is a constant, such as ``top_k``.

    Args:
        node: A JSON Schema, or a part of one.
        name: The name of the field or definition to which ``node`` belongs.
        of_names: True if the keys of ``node`` are names of fields or definitions instead of keywords of JSON Schema.
    """
    if isinstance(node, list):
        for item in node:
            yield from _parts(item, name)
    elif isinstance(node, dict):
        if not of_names and node.keys() & {"type", "anyOf", "oneOf"} and len(text := _text(node)) >= _FEWEST_CHARACTERS:
            yield text, node.get("properties", {}).get("name", {}).get("const", name)
        for key, value in node.items():
            inside = not of_names and key in ("properties", "$defs")
            yield from _parts(value, key if of_names else name, of_names=inside)


def _text(node: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in node.items() if key not in ("description", "default")})


def _shared(node: Any, names: dict[str, str], *, at_top: bool = False) -> Any:
    """Return a copy of ``node`` in which references to ``$defs`` replace repeated parts.

    A reference keeps the description and the default of the part that it replaces.

    Args:
        node: A JSON Schema, or a part of one.
        names: The name under ``$defs`` of each repeated part. The key is the part's JSON text without description and
            default.
        at_top: True to replace only parts inside ``node``, and not ``node`` itself.
    """
    if isinstance(node, list):
        return [_shared(item, names) for item in node]
    if not isinstance(node, dict):
        return node
    if not at_top and (name := names.get(_text(node))):
        kept = {key: value for key, value in node.items() if key in ("description", "default")}
        return {"$ref": f"#/$defs/{name}", **kept}
    return {key: _shared(value, names) for key, value in node.items()}
