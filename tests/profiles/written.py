"""A profile as a person may write it."""

import copy
from typing import Any

WRITTEN: dict[str, Any] = {
    "schema": 1,
    "forward": {"median": 0.1},
    "backward": {"median": 0.2, "spread": 0.01},
    "optimizer": {"median": 0.01},
    "parameters": [
        {"name": "first.weight", "shape": [300, 100], "ready_seconds": 0.2},
        {"name": "last.bias", "shape": [], "ready_seconds": 0.05},
    ],
    "compressors": [
        {
            "compressor": {"name": "top_k", "ratio": 0.01},
            "compress": {"constant": 1e-5, "per_element": 2e-9},
            "decompress": {"constant": 0, "per_element": 1e-9},
            "accumulate": {"constant": 0, "per_element": 1e-9},
        }
    ],
    "methods": [{"algorithm": {"name": "psgd"}, "compressor": None, "kind": "averaging", "local": 0.001}],
}


def written(**changes: Any) -> dict[str, Any]:
    """Return a copy of the profile with top-level keys replaced."""
    return {**copy.deepcopy(WRITTEN), **changes}
