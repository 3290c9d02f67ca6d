"""Match the cells of results with those of a baseline, and name the fields that prevent comparing their metrics."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from liecbench.check.case_labels import cell_labels, value_text
from liecbench.check.stored.baseline import BaselineCell
from liecbench.config.cell_fields import flat_fields

Kind = Literal["wire", "numerics", "time"]

# Cell fields that do not change the bytes that a method sends.
_IRRELEVANT_FOR_BYTES: Final = ("link", "threads", "timing", "enforcement", "emulator")
# ``threads`` is included because splitting a sum over threads changes its rounding.
_NUMERICS: Final = ("torch", "cpu", "gpus", "nccl", "data_sha256", "threads")
_NEEDED: Final[dict[Kind, tuple[str, ...]]] = {
    "wire": ("link", "enforcement", "link_emulator", "nccl"),  # headers and retransmissions depend on these
    "numerics": _NUMERICS,
    "time": (*_NUMERICS, "link", "enforcement", "link_emulator", "timing", "congestion_control"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CellMatch:
    """A cell of the results, and the baseline's cell that it is compared with."""

    baseline: BaselineCell
    current: BaselineCell

    @property
    def seed(self) -> int:
        """The seed, which is the same in both cells."""
        return self.current.seed

    def differences(self, kind: Kind) -> list[str]:
        """Return a text for each difference that prevents comparing metrics of this kind, such as times.

        Payload bytes and messages belong to no kind, because they can always be compared.
        """
        return _differences(_conditions(self.baseline), _conditions(self.current), _NEEDED[kind])


def match_cells(current: Sequence[BaselineCell], baseline: Sequence[BaselineCell]) -> list[int | None]:
    """Return, for each cell of ``current``, the index in ``baseline`` of the cell to compare it with, or None.

    The two cells agree in all settings that can change the bytes sent. Among several such cells of the baseline, the
    one with the most other settings and environment fields in common is chosen.
    """
    indices: dict[str, list[int]] = {}
    for index, entry in enumerate(baseline):
        indices.setdefault(_bytes_key(entry), []).append(index)
    return [
        max(indices.get(_bytes_key(entry), []), key=lambda index: _similarity(baseline[index], entry), default=None)
        for entry in current
    ]


def differences_from_nearest(entry: BaselineCell, baseline: Sequence[BaselineCell]) -> list[str]:
    """Return a text for each field in which a cell differs from the baseline's most similar cell.

    Fields that do not change the bytes that a method sends are left out.
    """
    mine = flat_fields(entry.spec)
    others = [flat_fields(other.spec) for other in baseline]
    nearest = max(others, key=lambda other: sum(value_text(other.get(name)) == value_text(mine[name]) for name in mine))
    names = [name for name in dict.fromkeys([*mine, *nearest]) if name not in _IRRELEVANT_FOR_BYTES]
    return _differences(nearest, mine, names)


def key_without_seed(entry: BaselineCell) -> str:
    """Return a key that is equal for cells that differ only in the seed."""
    return json.dumps({name: value for name, value in entry.spec.items() if name != "seed"}, sort_keys=True)


def labels(entries: Sequence[BaselineCell]) -> list[str]:
    """Return a short name without the seed for each cell."""
    return cell_labels([{n: v for n, v in flat_fields(entry.spec).items() if n != "seed"} for entry in entries])


def _bytes_key(entry: BaselineCell) -> str:
    return json.dumps(
        {name: value for name, value in entry.spec.items() if name not in _IRRELEVANT_FOR_BYTES}, sort_keys=True
    )


def _similarity(baseline: BaselineCell, current: BaselineCell) -> int:
    old, new = _conditions(baseline), _conditions(current)
    return sum(old[name] == new[name] for name in old)


def _conditions(entry: BaselineCell) -> dict[str, Any]:
    """Return a cell's environment, and those of its settings that do not change the bytes sent, by name."""
    fields, environment = flat_fields(entry.spec), entry.environment
    return {
        **{name: fields[name] for name in _IRRELEVANT_FOR_BYTES},
        "torch": environment.torch,
        "cpu": environment.cpu,
        "gpus": environment.gpus if entry.spec["device"] == "cuda" else None,
        "nccl": environment.nccl,
        "data_sha256": environment.data_sha256 and environment.data_sha256[:12],
        "link_emulator": (environment.link or {}).get("emulator"),
        "congestion_control": (environment.link or {}).get("congestion_control"),
    }


def _differences(baseline: Mapping[str, Any], current: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    pairs = [(name, value_text(baseline.get(name)), value_text(current.get(name))) for name in names]
    return [f"{name}: {old} in the baseline, {new} here" for name, old, new in pairs if old != new]
