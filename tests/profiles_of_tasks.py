"""A profile of the scenario in ``tests.scenarios``, with round numbers, as a person may write it."""

import json
from pathlib import Path
from typing import Any

# The MLP has 64 inputs, two hidden layers of 256 and 10 outputs.
SHAPES = [("0", 256, 64), ("2", 256, 256), ("4", 10, 256)]


def profile(**changes: Any) -> dict[str, Any]:
    """Return a profile's JSON; ``changes`` replace its fields."""
    parameters = []
    for name, rows, columns in SHAPES:
        parameters += [
            {"name": f"{name}.weight", "shape": [rows, columns], "ready_seconds": 0.002},
            {"name": f"{name}.bias", "shape": [rows], "ready_seconds": 0.002},
        ]
    line = {"constant": 1e-5, "per_element": 1e-9}
    return {
        "schema": 1,
        "task": {"dataset": "digits", "model": {"name": "mlp"}},
        "batch_size": 32,
        "forward": {"median": 0.001},
        "backward": {"median": 0.002},
        "optimizer": {"median": 0.0005},
        "parameters": parameters,
        "compressors": [
            {"compressor": {"name": name}, "compress": line, "decompress": line, "accumulate": line}
            for name in ("sign", "identity")
        ],
        **changes,
    }


def write(path: Path, **changes: Any) -> Path:
    """Write a profile to ``path``; ``changes`` replace its fields."""
    path.write_text(json.dumps(profile(**changes)))
    return path
