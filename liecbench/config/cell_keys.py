"""Keys of a cell (one training run): hashes of some of its fields, by which related cells are found.

A key is computed from the cell's spec. A spec holds the cell's fields as plain JSON values, as in the ledger.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

# Fields of a cell and of its task that do not change the time of a step, so that ``contestant_key`` leaves them out.
# ``task`` itself is left out because its fields are added one by one.
_WITHOUT_STEP_TIME: Final = frozenset({"seed", "timing", "task", "added_rate"})
_TASK_WITHOUT_STEP_TIME: Final = frozenset(
    {"epochs", "learning_rate", "schedule", "weight_decay", "partition", "warmup_steps"}
)
# Models without buffers, such as BatchNorm's statistics, whose steps take equally long for every partition of the data.
_WITHOUT_BUFFERS: Final = frozenset({"mlp", "cnn", "gpt"})
# The fields that say whether ranks compute or replay a profile.
COMPUTE_FIELDS: Final = frozenset({"compute", "profile", "dilation"})
# Cells that agree in these fields are timed together and compared with each other.
_SETTING: Final = ("workers", "link", "threads", "backend", "device", "enforcement")
# A spec has these only if they differ from their defaults.
_LATER_SETTING: Final = frozenset({"emulator", *COMPUTE_FIELDS})
_SETTING_TASK: Final = ("dataset", "model", "batch_size", "precision")

_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def canonical(fields: object) -> str:
    """Return ``fields``, plain JSON values, as canonical JSON: without spaces, and with mappings sorted by name."""
    return _CANONICAL.encode(fields)


def digest(fields: object) -> str:
    """Return the first 12 hex digits of the SHA-256 of ``fields`` as canonical JSON. ``fields`` is plain JSON."""
    return hashlib.sha256(canonical(fields).encode()).hexdigest()[:12]


def contestant_key(spec: Mapping[str, Any]) -> str:
    """Return a key that is equal for cells whose steps take equally long, such as cells that differ only in seed."""
    fields = {name: value for name, value in spec.items() if name not in _WITHOUT_STEP_TIME}
    task = {name: value for name, value in spec["task"].items() if name not in _TASK_WITHOUT_STEP_TIME}
    # If data are heterogeneous, ranks keep their own buffers instead of receiving rank 0's before every step.
    is_heterogeneous = spec["task"].get("partition", "iid") != "iid"
    if is_heterogeneous and spec["task"]["model"]["name"] not in _WITHOUT_BUFFERS:
        task["partition"] = "heterogeneous"
    return digest({**fields, "task": task})


def setting_key(spec: Mapping[str, Any]) -> str:
    """Return 12 hex digits that identify a cell's setting, such as its link, number of workers, model and batch size.

    Cells with equal setting keys are timed together and compared with each other. ``spec`` is the cell's spec.
    """
    fields = {name: spec.get(name) for name in _SETTING} | {name: spec[name] for name in _LATER_SETTING & spec.keys()}
    return digest({**fields, "task": {name: spec["task"].get(name) for name in _SETTING_TASK}})


def measured_setting_key(spec: Mapping[str, Any]) -> str:
    """Return the ``setting_key`` that a cell would have if its ranks computed instead of replaying a profile.

    ``spec`` is the cell's spec. Cells with equal setting keys are timed together and compared with each other.
    """
    return setting_key({name: value for name, value in spec.items() if name not in COMPUTE_FIELDS})


def trajectory_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec of the cell that is trained to obtain the losses of the cell with ``spec``.

    The links of the trained cell are not shaped, and its ranks compute instead of replaying a profile.
    """
    link = "host" if spec["link"] == "host" else "none"
    own = {name: value for name, value in spec.items() if name not in {"added_rate", *_LATER_SETTING}}
    return {**own, "link": link, "enforcement": "kernel", "timing": "trajectory"}
