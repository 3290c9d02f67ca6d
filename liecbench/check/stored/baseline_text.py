"""The text of a baseline's file: JSON with one value per line, and a checksum that shows every edit."""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Final

SCHEMA: Final = 1
TYPE: Final = "liecbench-baseline"
_CELLS: Final = b'\n "cells": ['
_BETWEEN: Final = b"\n  },"
_LINES: Final = ["\n" + " " * depth for depth in range(100)]
_ZEROS: Final = b"0" * 64
# The checksum (3) covers all but the part (2).
_SEAL: Final = re.compile(
    rf'(\{{\n "type": "{TYPE}",\n "schema": {SCHEMA},\n "liecbench": [^\n]*)'.encode()
    + rb'(,\n "sha256": "([0-9a-f]{64})"),\n'
)


def sealed(version: str, cells: Iterable[dict[str, Any]]) -> bytes:
    """Return the content of a baseline's file: JSON with a checksum, the version of liecbench and the cells.

    Args:
        version: The version of liecbench that writes the file.
        cells: The cells as JSON values; at least one.
    """
    head = _indented({"type": TYPE, "schema": SCHEMA, "liecbench": version}).removesuffix("\n}").encode()
    content = bytearray(head + b',\n "sha256": "' + _ZEROS + b'",\n "cells": [')
    begin = len(content)
    for cell in cells:
        content += b",\n  " if len(content) > begin else b"\n  "
        content += _indented(cell, 2).encode()
    content += b"\n ]\n}"
    checksum = _sha256(content, len(head), content.index(_ZEROS) + len(_ZEROS) + 1)
    content[content.index(_ZEROS) : content.index(_ZEROS) + len(_ZEROS)] = checksum.encode()
    content += b"\n"
    return bytes(content)


def unsealed(content: bytes) -> tuple[bytes, Iterator[bytes]]:
    """Verify the checksum of a baseline's file, and return (the file's JSON without cells, the JSON of each cell).

    Raises:
        ValueError: If the content is no baseline, or was edited after it was written.
        JSONDecodeError: If the content is not JSON.
        UnicodeDecodeError: If the content is not UTF-8 text.
    """
    if b"\r\n" in content:
        content = content.replace(b"\r\n", b"\n")  # Git may change line ends
    content = content.rstrip()
    seal = _SEAL.match(content)
    if seal is None or _sha256(content, seal.start(2), seal.end(2)) != seal[3].decode():
        raise ValueError(_what_is_wrong(content.decode()))
    begin = content.find(_CELLS, seal.end(2)) + len(_CELLS)
    end = content.find(b"\n ]", begin)
    if begin < len(_CELLS) or end < 0:
        return content, iter(())
    # Parsing one cell after the other takes a tenth of the memory of parsing all at once.
    return content[:begin] + content[end:], _split(content, begin, end)


def _split(content: bytes, begin: int, end: int) -> Iterator[bytes]:
    """Yield the JSON of each cell in ``content[begin:end]``; a cell ends at a line ``},`` indented by two spaces."""
    while begin < end:
        stop = content.find(_BETWEEN, begin, end)
        stop = end if stop < 0 else stop + len(_BETWEEN) - 1
        yield content[begin:stop]
        begin = stop + 1


def _sha256(content: bytes | bytearray, begin: int, end: int) -> str:
    """Return the SHA-256 of ``content`` without ``content[begin:end]``, as hex digits."""
    digest = hashlib.sha256(memoryview(content)[:begin])
    digest.update(memoryview(content)[end:])
    return digest.hexdigest()


def _what_is_wrong(text: str) -> str:
    if not text:
        return "it is empty"
    document = json.loads(text)
    if not isinstance(document, dict) or document.get("type") != TYPE:
        return f"it is no baseline: its first field is not type {TYPE}"
    if document.get("schema") != SCHEMA:
        return f"it is of another schema; this version reads schema {SCHEMA}"
    return "it was edited after it was written"


def _indented(value: Any, depth: int = 0) -> str:
    """Return a JSON value as text in the format of ``json.dumps`` with ``indent=1``, but in a third of the time.

    Args:
        value: A JSON value whose keys are texts.
        depth: The number of mappings and lists around the value.
    """
    kind = type(value)
    if kind is float and math.isfinite(value):
        return repr(value)
    if kind is int:
        return str(value)
    if kind is str:
        return _quoted(value)
    if not value or kind not in (dict, list):
        return json.dumps(value, allow_nan=False)
    begin, end = _LINES[depth + 1], _LINES[depth]
    if kind is list:
        return f"[{begin}{f',{begin}'.join([_indented(item, depth + 1) for item in value])}{end}]"
    items = [f"{_quoted(key)}: {_indented(item, depth + 1)}" for key, item in value.items()]
    return f"{{{begin}{f',{begin}'.join(items)}{end}}}"
