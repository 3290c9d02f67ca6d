"""The fields of a cell (one training run) as a flat mapping, by the names that ``--only`` and tables use."""

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from liecbench.network.link_map import LinkMap
from liecbench.network.quantity_text import parse_size

# Task fields that the first versions did not have, each with the value that a spec without the field stands for.
LATER_FIELDS: Final[Mapping[str, Any]] = {
    "partition": "iid",
    "profile": None,
    "optimizer": {"name": "sgd"},
    "clip_grad_norm": None,
    "accumulate": 1,
    "last_batch": "drop",
}
# Likewise fields of the cell itself.
LATER_CELL_FIELDS: Final = {
    "emulator": "auto",
    "compute": "measured",
    "profile": None,
    "dilation": "auto",
    "block_order": "backward",
}
_PARSERS: Final[Mapping[str, Callable[[object], object]]] = {"link": LinkMap.parse, "block_bytes": parse_size}


def flat_fields(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a cell's spec without nesting; ``spec`` is a result of ``Cell.spec``.

    For example, ``"compressor": {"name": "top_k", "ratio": 0.1}`` becomes two fields: ``"compressor": "top_k"`` and
    ``"ratio": 0.1``. If another field is named ``ratio`` already, the field with the compressor's ratio is named
    ``compressor_ratio``.
    """
    fields: dict[str, Any] = {}
    task = spec["task"]
    later = {} if is_of_profile(task) else {name: value for name, value in LATER_FIELDS.items() if name != "profile"}
    nested = {**LATER_CELL_FIELDS, **spec, **later, **task}
    for name, value in nested.items():
        if name in ("task", "added_rate"):
            continue
        if isinstance(value, dict) and "name" in value:
            fields[name] = value["name"]
            for option, setting in value.items():
                if option != "name":
                    fields[option if option not in nested and option not in fields else f"{name}_{option}"] = setting
        elif name == "partition" and isinstance(value, dict):
            fields[name] = " ".join(f"{kind} {value[kind]}" for kind in value)
        else:
            fields[name] = link_text(value) if name == "link" else value
    return fields


def is_of_profile(task: Mapping[str, Any]) -> bool:
    """Return True if a cell trains nothing, and only times the steps of a profile.

    ``task`` is the value of ``"task"`` in the cell's spec (``Cell.spec``).
    """
    return task.get("profile") is not None


def num_epochs(spec: Mapping[str, Any]) -> int:
    """Return the number of epochs of the cell with this spec; 1 for a cell that trains nothing and is only timed."""
    return int(spec["task"].get("epochs", 1))


def field_text(name: str, value: object) -> str:
    """Return a user's value of the field ``name`` as cells spell it, such as ``100mbit`` for ``100Mbps``.

    A value that cannot be parsed is returned unchanged, as text.
    """
    parse = _PARSERS.get(name, str)
    try:
        return str(parse(value))
    except ValueError:
        return str(value)


def link_text(spec: object) -> str:
    """Return the text that tables show for a link, such as ``20mbit↑ 100mbit↓``.

    ``spec`` is the link's value in ``Cell.spec``, such as ``{"up": "20mbit", "down": "100mbit"}``.
    """
    return _link_text(json.dumps(spec))


@functools.cache
def _link_text(spec: str) -> str:
    return str(LinkMap.parse(json.loads(spec)))
