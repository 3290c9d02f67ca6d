"""Which stored cell another is compared with, and which of its figures can be."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from liecbench.check.case_labels import names, text
from liecbench.check.stored.baseline import Entry
from liecbench.config.cell_fields import flat_fields

Kind = Literal["wire", "numerics", "time"]

# No byte that a method sends depends on these.
_FREE: Final = ("link", "threads", "timing", "enforcement")
# Threads split sums, and so change their rounding.
_NUMERICS: Final = ("torch", "cpu", "gpus", "nccl", "data_sha256", "threads")
_NEEDED: Final[dict[Kind, tuple[str, ...]]] = {
    "wire": ("link", "enforcement", "nccl"),  # of which headers and what is sent twice depend
    "numerics": _NUMERICS,
    "time": (*_NUMERICS, "link", "enforcement", "timing", "congestion_control"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A cell of the results, and the baseline's that it is compared with."""

    baseline: Entry
    current: Entry

    @property
    def seed(self) -> int:
        """The seed of both."""
        return self.current.seed

    def differences(self, kind: Kind) -> list[str]:
        """The fields that keep a kind of figures from being compared, in words; payload bytes need none of them."""
        return _told_apart(_around(self.baseline), _around(self.current), _NEEDED[kind])


def match(current: Sequence[Entry], baseline: Sequence[Entry]) -> list[int | None]:
    """For each cell its place in the baseline, None where no bytes can be compared; of several the most alike."""
    places: dict[str, list[int]] = {}
    for place, entry in enumerate(baseline):
        places.setdefault(_sending(entry), []).append(place)
    return [
        max(places.get(_sending(entry), []), key=lambda place: _likeness(baseline[place], entry), default=None)
        for entry in current
    ]


def differences_from_nearest(entry: Entry, baseline: Sequence[Entry]) -> list[str]:
    """What keeps a cell from every one of the baseline's, by that which shares most of its fields, in words."""
    mine = flat_fields(entry.spec)
    others = [flat_fields(other.spec) for other in baseline]
    nearest = max(others, key=lambda other: sum(text(other.get(name)) == text(mine[name]) for name in mine))
    names = [name for name in dict.fromkeys([*mine, *nearest]) if name not in _FREE]
    return _told_apart(nearest, mine, names)


def but_for_seed(entry: Entry) -> str:
    """The same for cells that differ in nothing but the seed."""
    return json.dumps({name: value for name, value in entry.spec.items() if name != "seed"}, sort_keys=True)


def labels(entries: Sequence[Entry]) -> list[str]:
    """A short name for each; the seed left out."""
    return names([{n: v for n, v in flat_fields(entry.spec).items() if n != "seed"} for entry in entries])


def _sending(entry: Entry) -> str:
    return json.dumps({name: value for name, value in entry.spec.items() if name not in _FREE}, sort_keys=True)


def _likeness(baseline: Entry, current: Entry) -> int:
    old, new = _around(baseline), _around(current)
    return sum(old[name] == new[name] for name in old)


def _around(entry: Entry) -> dict[str, Any]:
    """What a cell ran on and under, besides what it is."""
    fields, environment = flat_fields(entry.spec), entry.environment
    return {
        **{name: fields[name] for name in _FREE},
        "torch": environment.torch,
        "cpu": environment.cpu,
        "gpus": environment.gpus if entry.spec["device"] == "cuda" else None,
        "nccl": environment.nccl,
        "data_sha256": environment.data_sha256 and environment.data_sha256[:12],
        "congestion_control": (environment.link or {}).get("congestion_control"),
    }


def _told_apart(baseline: Mapping[str, Any], current: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    pairs = [(name, text(baseline.get(name)), text(current.get(name))) for name in names]
    return [f"{name}: {old} in the baseline, {new} here" for name, old, new in pairs if old != new]
