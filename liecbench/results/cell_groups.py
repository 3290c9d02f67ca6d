"""Groups of cells that differ only in the seed, and which groups are compared with each other."""

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic_core import to_json

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.config.cell_fields import LATER_FIELDS
from liecbench.config.known_specs import alike_key
from liecbench.errors import LiecbenchError, did_you_mean
from liecbench.results.cells import CellResult
from liecbench.results.equal_work import seconds_per_work
from liecbench.results.pace import Pace

# Two rows are compared only if their cells share the SETTING_FIELDS, and their tasks share the WORKLOAD_FIELDS.
SETTING_FIELDS: Final = (
    *("workers", "link", "threads", "backend", "device", "enforcement", "emulator", "timing"),
    *("compute", "profile", "dilation"),
)
WORKLOAD_FIELDS: Final = ("dataset", "model", "batch_size", "partition", "precision")
# Algorithms without compression, which send every gradient in full or in 16 bits.
DENSE: Final = frozenset({"ddp", "ddp_bf16", "ddp_fp16"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CellGroup:
    """The cells that will form one row, because they differ only in the seed.

    Attributes:
        cells: The cells, completed or not.
        per_seed: For each seed whose cell completed, the cell's metrics by name.
        pace: The seconds per epoch of the completed cells.
        is_baseline: True if the group is a baseline.
    """

    cells: list[CellResult]
    per_seed: dict[int, dict[str, float]]
    pace: Pace
    is_baseline: bool

    @classmethod
    def of(
        cls, cells: list[CellResult], baseline: BaselineChoice, derived: Mapping[int, dict[str, float]]
    ) -> "CellGroup":
        """Return the group of ``cells``.

        Args:
            cells: Cells that differ only in the seed.
            baseline: The choice of the baseline, which says whether this group is a baseline.
            derived: The metrics of each completed cell, such as ``{"seconds_per_epoch": 2.5}``, by ``id(cell)``.
        """
        completed = [cell for cell in cells if cell.status == "completed"]
        per_seed = {cell.spec["seed"]: derived[id(cell)] for cell in completed}
        name = "seconds_per_epoch"
        seconds = {seed: metrics[name] for seed, metrics in per_seed.items() if name in metrics}
        is_baseline = baseline.matches(cells[0].spec)
        pace = Pace.of_cells(completed, seconds)
        return cls(cells=cells, per_seed=per_seed, pace=pace, is_baseline=is_baseline)

    @property
    def algorithm(self) -> str:
        """The algorithm's name, without options."""
        return str(self.cells[0].spec["algorithm"]["name"])

    def seconds(self) -> float:
        """Return the seconds per epoch, mean over seeds. At least one cell must be timed."""
        return statistics.fmean(self.pace.by_seed.values())


def with_common_work(groups: Sequence[CellGroup], baseline: BaselineChoice) -> list[CellGroup]:
    """Return the groups. Mark those that must be compared by epochs, because samples are unknown for some of them.

    An earlier version recorded no samples. If one group lacks them, all groups that share its baseline are marked,
    whatever their link. A break-even combines the speed-ups of these groups, so all of them must compare the same
    thing: equally many samples, or epochs. Groups without a completed cell do not matter.
    """
    keys = [_key_of_all_links(group.cells[0], baseline) for group in groups]
    by_epoch = {key for key, one in zip(keys, groups, strict=True) if one.per_seed and one.pace.samples is None}
    return [
        replace(group, pace=replace(group.pace, is_compared_by_epochs=True)) if key in by_epoch else group
        for key, group in zip(keys, groups, strict=True)
    ]


def fastest_group(groups: Sequence[CellGroup]) -> CellGroup:
    """Return the group with the shortest time for equally many samples. All groups must be timed."""
    paces = seconds_per_work([(group.seconds(), group.pace.compared_samples) for group in groups])
    return min(zip(paces, groups, strict=True), key=lambda pair: pair[0])[1]


def alike_cells(cells: Sequence[CellResult]) -> list[list[CellResult]]:
    """Return groups of cells that differ only in the seed. Cells of one group have the same ``directory``."""
    groups: dict[tuple[bytes, str | None], list[CellResult]] = {}
    for cell in cells:
        groups.setdefault((alike_key(cell.spec), cell.directory), []).append(cell)
    return list(groups.values())


def comparable_key(cell: CellResult, baseline: BaselineChoice | None = None) -> bytes:
    """Return a key that is equal for cells that may be compared with each other.

    The key consists of ``cell.directory``, ``cell.is_added``, and the cell's ``SETTING_FIELDS`` and
    ``WORKLOAD_FIELDS``. If ``baseline`` fixes a field, such as ``workers: 2``, the key leaves out this field, so that
    cells with other values of the field can be compared with the baseline.
    """
    return to_json([cell.is_added, *_comparable_fields(cell, {} if baseline is None else baseline.fixed)])


def _key_of_all_links(cell: CellResult, baseline: BaselineChoice) -> bytes:
    """Return a key like ``comparable_key``, but ignore the link and ``cell.is_added``."""
    return to_json(_comparable_fields(cell, {"link", *baseline.fixed}))


def _comparable_fields(cell: CellResult, without: Collection[str]) -> list[Any]:
    """Return the values that must be equal for two cells to be comparable, leaving out the fields ``without``."""
    task = {**LATER_FIELDS, **cell.spec["task"]}
    setting = [cell.spec.get(name) for name in SETTING_FIELDS if name not in without]
    return [cell.directory, *setting, *(task.get(name) for name in WORKLOAD_FIELDS if name not in without)]


def task_key(group: CellGroup) -> bytes:
    """Return a key that is equal for groups with the same task."""
    return to_json(group.cells[0].spec["task"])


def by_task(groups: Sequence[CellGroup]) -> dict[bytes, CellGroup]:
    """Return a dictionary from each task's key, as ``task_key`` returns it, to the first group of the task."""
    return {task_key(group): group for group in reversed(groups)}


def nearest_baseline(group: CellGroup, baselines: Sequence[CellGroup]) -> CellGroup | None:
    """Return the baseline whose task agrees with the group's task in the most fields; None without baselines.

    There are several baselines if the scenario varies the task, for example the learning rate.
    """
    task = group.cells[0].spec["task"]
    shared = {id(one): sum(one.cells[0].spec["task"].get(k) == v for k, v in task.items()) for one in baselines}
    return max(baselines, key=lambda one: shared[id(one)], default=None)


def check_baseline(cells: Sequence[CellResult], baseline: str) -> None:
    """Raise LiecbenchError if no cell has the algorithm ``baseline``."""
    names = {cell.spec["algorithm"]["name"] for cell in cells}
    if baseline not in names:
        raise LiecbenchError(f"--baseline {baseline}: no cell has this algorithm", did_you_mean(baseline, names))
