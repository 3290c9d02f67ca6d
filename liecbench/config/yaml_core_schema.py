"""Read and write YAML by the core schema of YAML 1.2, which reads 010 as 10, and 1:30, 1_000 and yes as texts.

PyYAML follows YAML 1.1, which reads 010 as 8, 1:30 as 90, 1_000 as 1000, and yes as true.
"""

import re
from typing import Any, Final

import yaml

_PREFIX: Final = "tag:yaml.org,2002:"
_MERGE: Final = _PREFIX + "merge"
# The forms of section 10.3.2 of the YAML 1.2.2 specification. A plain word with none of these forms is text.
_FORMS: Final = {
    _PREFIX + "null": re.compile(r"(?:null|Null|NULL|~|)\Z"),
    _PREFIX + "bool": re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
    _PREFIX + "int": re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"),
    _PREFIX + "float": re.compile(
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
    ),
}
_STRING: Final = _PREFIX + "str"
_MOST_DIGITS: Final = 400


class CoreLoader(yaml.SafeLoader):
    """PyYAML's safe loader with the implicit types of YAML 1.2. Use it to compose nodes, not to construct values."""


# The key None stands for words with any first character. Merge keys are found only so that they can be refused.
CoreLoader.yaml_implicit_resolvers = {None: list(_FORMS.items()), "<": [(_MERGE, re.compile(r"<<\Z"))]}


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which quotes strings that YAML 1.1 or 1.2 would read as another type, such as ``yes``."""


_Dumper.yaml_implicit_resolvers = {**yaml.SafeDumper.yaml_implicit_resolvers, None: list(_FORMS.items())}


def scalar(node: yaml.ScalarNode) -> str | int | float | bool | None:
    """Return the value of a scalar node, by the node's tag.

    Raises ValueError if the tag is not one of the core schema, or if the text does not have the tag's form.
    """
    tag, text = node.tag, str(node.value)
    if tag == _STRING:
        return text
    if tag not in _FORMS:
        raise ValueError(f"the tag {short_tag(tag)} is not allowed; use plain YAML values")
    if not _FORMS[tag].match(text) and not (tag == _PREFIX + "float" and _FORMS[_PREFIX + "int"].match(text)):
        raise ValueError(f"{text!r} is not what its tag {short_tag(tag)} says; remove the tag")
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(text)} characters is too long; write a shorter one")
    match tag.removeprefix(_PREFIX):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        case _:
            return float(re.sub(r"^([-+]?)\.(inf|nan)$", r"\1\2", text.lower()))


def short_tag(tag: str) -> str:
    """Return a tag as people write it: ``!!int`` for ``tag:yaml.org,2002:int``."""
    return f"!!{tag.removeprefix(_PREFIX)}" if tag.startswith(_PREFIX) else tag


def dump(data: Any) -> str:
    """Return ``data`` as YAML text that readers of YAML 1.1 and of YAML 1.2 read as the same values."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
