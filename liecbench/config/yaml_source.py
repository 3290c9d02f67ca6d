"""Read YAML 1.2 safely, refuse duplicate keys, and keep the line and column of every key and value."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from liecbench.config.parser_messages import in_words, place_of
from liecbench.config.yaml_core_schema import CoreLoader, scalar, short_tag
from liecbench.errors import ScenarioError
from liecbench.untrusted import regular_files

Key = tuple[str | int, ...]
_MOST_NODES = 200_000
_MOST_BYTES = 2**20  # PyYAML takes ten seconds for them
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@dataclass(frozen=True, slots=True)
class Place:
    """The positions of a key and of the key's value, each as ``source:line:column``."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML document.

    Attributes:
        data: The document's contents as plain data.
        places: The positions of each value and of the value's key in the text, by the value's path, such as
            ``("matrix", "algorithm", 0)``.
        source: The file's name, or the option that the text comes from.
    """

    data: dict[str, Any]
    places: dict[Key, Place]
    source: str

    def error(self, path: Key, message: str, *, at_key: bool = False) -> ScenarioError:
        """Return an error about a value. The text has the value's position (``source:line:column``), path and message.

        Args:
            path: The keys and indices that lead to the value, such as ``("matrix", "algorithm", 0)``. If the document
                lacks the value, the position is that of the nearest ancestor that the document has.
            message: The text that says what is wrong with the value.
            at_key: Whether to give the position of the value's key instead of the value.
        """
        where, _ = self.position(path, at_key=at_key)
        path = self._as_written(path)
        return ScenarioError(f"{where}: {dotted(path)}: {message}" if path else f"{where}: {message}")

    def position(self, path: Key, *, at_key: bool = False) -> tuple[str, Key]:
        """Return where to report an error about ``path``, and the trailing keys of ``path`` that the document lacks.

        The arguments are those of ``error``. Values that an alias repeats have the same position.
        """
        path = self._as_written(path)
        known = self.nearest(path)
        place = self.places.get(known)
        where = (place.key if at_key and known == path else place.value) if place else self.source
        return where, path[len(known) :]

    def value(self, path: Key) -> Any:
        """Return the value at ``path``. Raises KeyError or IndexError if the document has none."""
        found: Any = self.data
        for part in self._as_written(path):
            found = found[part]
        return found

    def nearest(self, path: Key) -> Key:
        """Return ``path`` as the document has it, or the path of the nearest ancestor that the document has."""
        path = self._as_written(path)
        while path and path not in self.places:
            path = path[:-1]
        return path

    def _as_written(self, path: Key) -> Key:
        """Return ``path`` without an index 0, if the document has a single value there instead of a list.

        With ``algorithm: ddp``, for example, ``("matrix", "algorithm", 0)`` becomes ``("matrix", "algorithm")``.
        """
        written: Key = ()
        for part in path:
            if part != 0 or (*written, part) in self.places or written not in self.places:
                written = (*written, part)
        return written


def dotted(path: Key) -> str:
    """Return ``matrix.algorithm[0]`` for ``("matrix", "algorithm", 0)``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class _Builder:
    def __init__(self, source: str) -> None:
        self.source, self.places, self.nodes = source, dict[Key, Place](), 0
        self.mistakes = dict[tuple[str, str], ScenarioError]()

    def error(self, node: yaml.Node, path: Key, message: str) -> ScenarioError:
        return ScenarioError(": ".join(part for part in (self.place(node), dotted(path), message) if part))

    def refuse(self, node: yaml.Node, path: Key, message: str) -> None:
        """Note a mistake, but only once if aliases repeat it."""
        self.mistakes.setdefault((self.place(node), message), self.error(node, path, message))

    def place(self, node: yaml.Node) -> str:
        return f"{self.source}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"

    def build(self, node: yaml.Node, path: Key, above: tuple[yaml.Node, ...]) -> Any:
        self.nodes += 1
        if self.nodes > _MOST_NODES or node in above:
            raise self.error(node, path, "aliases repeat without end; write the values out")
        self.places.setdefault(path, Place(self.place(node), self.place(node)))
        self.require_whole_characters(node, path)
        above = (*above, node)
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _PLAIN_TAGS:
            self.refuse(node, path, f"the tag {short_tag(node.tag)} is not allowed; remove it")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path, above)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, i), above) for i, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode), "nodes are of three kinds"
        try:
            return scalar(node)
        except ValueError as error:
            self.refuse(node, path, str(error))
            return None

    def require_whole_characters(self, node: yaml.Node, path: Key) -> None:
        if isinstance(node, yaml.ScalarNode) and _SURROGATE.search(node.value):
            self.refuse(node, path, "half of a character, which no file can hold; remove it")

    def mapping(self, node: yaml.MappingNode, path: Key, above: tuple[yaml.Node, ...]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
                self.refuse(key_node, path, "a key must be a plain word; write the keys out")
                continue
            key = key_node.value
            self.require_whole_characters(key_node, (*path, key))
            if (mistake := self.mistake_of_key(key_node, value_node, (*path, key))) is not None:
                self.refuse(key_node, (*path, key), mistake)
                continue
            self.places[(*path, key)] = Place(self.place(key_node), self.place(value_node))
            data[key] = self.build(value_node, (*path, key), above)
        return data

    def mistake_of_key(self, key_node: yaml.ScalarNode, value_node: yaml.Node, path: Key) -> str | None:
        if path in self.places:
            return f"the key appears twice (first at {self.places[path].key}); remove one"
        name, colon, rest = key_node.value.partition(":")
        if colon and rest and value_node.value == "" and key_node.style is None:
            return f"no space after the colon; write {name}: {rest}"
        return None


def parse(text: str, source: str) -> Document:
    """Return the document in YAML text; ``source`` names the text in error messages.

    Raises ScenarioError, with the place of each mistake, if the text is not YAML or not a mapping.
    """
    try:
        return _parse(text, source)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        where = f"{source}:{before.count(chr(10)) + 1}:{error.position - before.rfind(chr(10))}"
        raise ScenarioError(f"{where}: not YAML: a character that cannot be printed; remove it") from None
    except RecursionError:
        raise ScenarioError(f"{source}:1:1: nested too deeply; a scenario has a few levels") from None
    except yaml.MarkedYAMLError as error:
        mark = place_of(error)
        where = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        problem = error.problem or error.context or "a mistake"
        raise ScenarioError(f"{where}: not YAML: {in_words(problem)}") from None


def _parse(text: str, source: str) -> Document:
    node = yaml.compose(text, Loader=CoreLoader)
    if not isinstance(node, yaml.MappingNode):
        message = "a scenario is a mapping of keys such as name, task and matrix"
        raise ScenarioError(f"{source}:1:1: {message}; `liecbench init` writes one to start from")
    builder = _Builder(source)
    data = builder.build(node, (), ())
    if builder.mistakes:
        raise ScenarioError.together(source, list(builder.mistakes.values()))
    return Document(data, builder.places, source)


def load(path: Path) -> Document:
    """Return the document in a YAML file. Raises ScenarioError if the file cannot be read or is not a YAML mapping."""
    try:
        text = regular_files.read_text(path, _MOST_BYTES)
    except OSError as error:
        remedy = "give the path of a scenario file; `liecbench init` writes one"
        raise ScenarioError(f"{path}: {error.strerror}; {remedy}") from None
    except UnicodeDecodeError:
        raise ScenarioError(f"{path}: not UTF-8 text; save the file as UTF-8") from None
    return parse(text, str(path))
