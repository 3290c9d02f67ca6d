"""Group the cells that differ only in the seed, and match each cell with one of the baseline (see ``matching``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from liecbench.check.stored import matching
from liecbench.check.stored.baseline import Baseline
from liecbench.check.stored.baseline_cell import BaselineCell
from liecbench.check.stored.matching import CellMatch, Kind
from liecbench.results.cells import CellResult


@dataclass(slots=True, kw_only=True)
class SeedGroup:
    """Cells of the results that differ only in the seed, and the baseline's cells that match them.

    Attributes:
        example: A cell of the results. If the group has none, a cell of the baseline.
        failed: The cells of the results that failed.
        known: The cells of the results that did not fail, and that match a cell of the baseline.
        matches: Each completed cell in ``known``, paired with the baseline's cell that it matches.
        unknown: The cells of the results that did not fail, and that match no cell of the baseline. The key is the
            cell's seed. The value is a text that names the differences from the most similar cell of the baseline.
        missing: The seeds of the baseline's cells that match no cell of the results.
    """

    example: BaselineCell
    known: list[CellResult] = field(default_factory=list)
    failed: list[CellResult] = field(default_factory=list)
    matches: list[CellMatch] = field(default_factory=list)
    unknown: dict[int, str] = field(default_factory=dict)
    missing: list[int] = field(default_factory=list)

    def comparable(self, kind: Kind) -> list[CellMatch]:
        """Return the elements of ``matches`` whose two cells can be compared in the metrics of ``kind``.

        The cells can be compared if they agree in all settings and machine details that affect these metrics. If
        ``kind`` is ``"numerics"`` and the cells were only timed, not trained, the list is empty.
        """
        if kind == "numerics" and not self.example.is_trained:
            return []
        return [match for match in self.matches if not match.differences(kind)]

    def seeds_with(self, status: str) -> list[int]:
        """Return the seeds of the cells in ``known`` whose status is ``status``, such as ``diverged``."""
        return [cell.spec["seed"] for cell in self.known if cell.status == status]


def seed_groups(cells: Sequence[CellResult], entries: Sequence[BaselineCell], baseline: Baseline) -> list[SeedGroup]:
    """Group the cells that differ only in the seed, and match them with the cells of the baseline.

    Groups with cells of the results come first, in the order of the results. If at least one cell of the results has a
    match, the baseline's cells without a match are reported, too: their seeds are in ``missing`` of their groups, and
    groups without any cell of the results come last.

    Args:
        cells: The cells of the results.
        entries: The results of ``BaselineCell.of`` for the cells, in the order of ``cells``.
        baseline: The baseline.
    """
    indices = matching.match_cells(entries, baseline.cells)
    candidates = matching.nearest_candidates(baseline.cells)
    groups: dict[str, SeedGroup] = {}
    for cell, entry, index in zip(cells, entries, indices, strict=True):
        group = groups.setdefault(entry.keys.without_seed, SeedGroup(example=entry))
        if cell.status == "failed":
            group.failed.append(cell)
        elif index is None:
            differences = "; ".join(matching.differences_from_nearest(entry, candidates))
            group.unknown[entry.seed] = f"the baseline has no such cell; the nearest differs: {differences}"
        else:
            group.known.append(cell)
            if cell.status == "completed":
                group.matches.append(CellMatch(baseline=baseline.cells[index], current=entry))
    matched = {index for index in indices if index is not None}
    if matched:
        for index, entry in enumerate(baseline.cells):
            if index not in matched:
                group = groups.setdefault(entry.keys.without_seed, SeedGroup(example=entry))
                group.missing.append(entry.seed)
    return list(groups.values())


def by_seeds(reasons: Mapping[int, str]) -> dict[str, list[int]]:
    """Return the seeds of each distinct reason; ``reasons`` maps each seed to its reason."""
    found: dict[str, list[int]] = {}
    for seed, reason in reasons.items():
        found.setdefault(reason, []).append(seed)
    return found


def seed_names(seeds: Sequence[int]) -> str:
    """Return seeds as text: ``seed 1`` or ``seeds 1, 2``."""
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
