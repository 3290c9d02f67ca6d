"""Keys of a cell: hashes of its id's, its contestant's and its setting's fields, from the spec that a ledger holds."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

# Fields that change no step's time; ``timing`` and these fields of the task are not part of a contestant.
_WITHOUT_STEP_TIME: Final = frozenset({"seed", "timing", "task"})
_TASK_WITHOUT_STEP_TIME: Final = frozenset(
    {"epochs", "learning_rate", "schedule", "weight_decay", "partition", "warmup_steps"}
)
# Rows that agree in these fields are timed together and compared with each other.
_SETTING: Final = ("workers", "link", "threads", "backend", "device", "enforcement")
_SETTING_TASK: Final = ("dataset", "model", "batch_size", "precision")


def digest(fields: object) -> str:
    """Return the first 12 hex digits of the SHA-256 of plain JSON values."""
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def contestant_key(spec: Mapping[str, Any]) -> str:
    """Return a key that is equal for cells whose steps take equal time: they differ in the seed, for example."""
    fields = {name: value for name, value in spec.items() if name not in _WITHOUT_STEP_TIME}
    task = {name: value for name, value in spec["task"].items() if name not in _TASK_WITHOUT_STEP_TIME}
    return digest({**fields, "task": task})


def setting_key(spec: Mapping[str, Any]) -> str:
    """Return a key that is equal for cells that are timed together and compared with each other."""
    fields = {name: spec.get(name) for name in _SETTING}
    return digest({**fields, "task": {name: spec["task"].get(name) for name in _SETTING_TASK}})


def trajectory_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec of the cell that is trained, with links lifted, for a cell whose steps are timed on its link."""
    link = "host" if spec["link"] == "host" else "none"
    return {**spec, "link": link, "enforcement": "kernel", "timing": "trajectory"}
