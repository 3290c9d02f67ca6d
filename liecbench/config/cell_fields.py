"""The fields of a cell (one training run) as a flat mapping, by the names that ``--only`` and tables use."""

import functools
import json
from collections.abc import Mapping
from typing import Any, Final

from liecbench.network.link_map import LinkMap

# Task fields that the first versions did not have, each with the value that a spec without the field stands for.
LATER_FIELDS: Final = {"partition": "iid"}
# Likewise fields of the cell itself.
LATER_CELL_FIELDS: Final = {"emulator": "auto"}


def flat_fields(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of ``spec``, which ``Cell.spec`` returned, without nesting.

    From ``"compressor": {"name": "top_k", "ratio": 0.1}`` the field ``compressor`` keeps only the name. Each option
    becomes a field of its own: ``ratio`` or, if there is a field of that name already, ``compressor_ratio``.
    """
    fields: dict[str, Any] = {}
    nested = {**LATER_CELL_FIELDS, **spec, **LATER_FIELDS, **spec["task"]}
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
            fields[name] = _link_text(json.dumps(value)) if name == "link" else value
    return fields


@functools.cache
def _link_text(spec: str) -> str:
    return str(LinkMap.parse(json.loads(spec)))
