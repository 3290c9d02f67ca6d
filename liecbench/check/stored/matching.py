"""Match the cells of results with the cells of a baseline, and list the fields in which two cells differ.

If the cells differ in a field, such as the version of torch, metrics that depend on this field cannot be compared.
"""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from liecbench.check.case_labels import cell_labels, value_text
from liecbench.check.stored.baseline_cell import BaselineCell
from liecbench.check.stored.conditions import IRRELEVANT_FOR_BYTES
from liecbench.config.cell_fields import flat_fields

Kind = Literal["wire", "numerics", "time"]

_MOST_CANDIDATES: Final = 500
_MOST_GROUPS: Final = 200
# ``threads`` is included because splitting a sum over threads changes its rounding.
_NUMERICS: Final = ("torch", "cpu", "gpus", "nccl", "data_sha256", "threads")
_COMPUTE: Final = ("compute", "profile", "dilation")
_NEEDED: Final[dict[Kind, tuple[str, ...]]] = {
    "wire": (
        "link",
        "enforcement",
        "link_emulator",
        "nccl",
        "compute",
        "dilation",
    ),  # headers and retransmissions depend on these
    "numerics": _NUMERICS,
    "time": (*_NUMERICS, "link", "enforcement", "link_emulator", "timing", "congestion_control", *_COMPUTE),
}


@dataclass(frozen=True, kw_only=True)
class CellMatch:
    """A cell of the results, and the baseline's cell that it is compared with.

    ``has_same_conditions`` is True if the two cells agree in all fields of environment and settings on which metrics
    depend.
    """

    baseline: BaselineCell
    current: BaselineCell
    has_same_conditions: bool = field(init=False)

    def __post_init__(self) -> None:
        """Set ``has_same_conditions``: True if the two cells have equal ``BaselineCell.conditions``."""
        # Compared only once, because ``differences`` is called for every kind of metric.
        object.__setattr__(self, "has_same_conditions", self.baseline.conditions == self.current.conditions)

    @property
    def seed(self) -> int:
        """The seed, which is the same in both cells."""
        return self.current.seed

    def differences(self, kind: Kind) -> list[str]:
        """Return a text for each field that differs between the two cells and prevents comparing metrics of ``kind``.

        An example of a text is ``torch: 2.7.0 in the baseline, 2.8.0 here``. ``kind`` is ``wire`` (wire bytes),
        ``numerics`` or ``time``. Payload bytes and messages belong to no kind, because they can always be compared.
        """
        if self.has_same_conditions:
            return []
        return _differences(self.baseline.conditions, self.current.conditions, _NEEDED[kind])


def match_cells(current: Sequence[BaselineCell], baseline: Sequence[BaselineCell]) -> list[int | None]:
    """Return, for each cell of ``current``, the index of its match in ``baseline``; None if no cell matches.

    A baseline cell matches if its seed and all its settings that can change the number of sent bytes are equal to those
    of the current cell. If several baseline cells match, the one that agrees with the current cell in the most
    ``BaselineCell.conditions`` is chosen.
    """
    candidates: dict[tuple[str, int], list[int]] = {}
    for index, entry in enumerate(baseline):
        candidates.setdefault((entry.keys.of_bytes, entry.seed), []).append(index)
    found = (candidates.get((entry.keys.of_bytes, entry.seed), []) for entry in current)
    return [_most_similar(entry, indices, baseline) for entry, indices in zip(current, found, strict=True)]


def nearest_candidates(baseline: Sequence[BaselineCell]) -> list[dict[str, Any]]:
    """Return the baseline's cells among which ``differences_from_nearest`` looks for the nearest one.

    Each cell is a mapping from field names to values. If the baseline has at most 500 cells, all are returned.
    Otherwise, cells that differ only in the seed form a group, and one cell per group is returned, for at most 200
    groups.
    """
    # Comparing thousands of cells with thousands of others would take hours.
    if len(baseline) > _MOST_CANDIDATES:
        groups = {entry.keys.without_seed: entry for entry in reversed(baseline)}
        baseline = list(reversed(groups.values()))[:_MOST_GROUPS]
    return [flat_fields(entry.spec) for entry in baseline]


def differences_from_nearest(entry: BaselineCell, candidates: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a text for each field that differs between ``entry`` and the nearest candidate.

    An example of a text is ``ratio: 0.01 in the baseline, 0.1 here``. The nearest candidate is the one with the most
    fields equal to those of ``entry``. Fields that cannot change the bytes that a method sends have no text.
    """
    mine = flat_fields(entry.spec)
    nearest = max(candidates, key=lambda other: sum(other.get(name) == value for name, value in mine.items()))
    names = [name for name in dict.fromkeys([*mine, *nearest]) if name not in IRRELEVANT_FOR_BYTES]
    return _differences(nearest, mine, names)


def labels(entries: Sequence[BaselineCell]) -> list[str]:
    """Return a short name for each cell, such as ``ddp · 2 workers · link 10mbit``. The name leaves out the seed."""
    return cell_labels([{n: v for n, v in flat_fields(entry.spec).items() if n != "seed"} for entry in entries])


def _most_similar(entry: BaselineCell, candidates: Sequence[int], baseline: Sequence[BaselineCell]) -> int | None:
    """Return the candidate that agrees with ``entry`` in the largest number of conditions; None without candidates.

    Candidates are indices in ``baseline``.
    """
    if len(candidates) < 2:
        return next(iter(candidates), None)
    values = list(entry.conditions.values())
    counts = {index: sum(map(operator.eq, baseline[index].conditions.values(), values)) for index in candidates}
    return max(counts, key=counts.__getitem__)


def _differences(baseline: Mapping[str, Any], current: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    changed = [name for name in names if baseline.get(name) != current.get(name)]
    pairs = [(name, value_text(baseline.get(name)), value_text(current.get(name))) for name in changed]
    return [f"{name}: {old} in the baseline, {new} here" for name, old, new in pairs if old != new]
