"""Results for figures that cannot be compared, because the baseline is from another machine or setting.

They have the values of both sides for information, and the reason.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from liecbench.check.stored.matching import CellMatch, Kind
from liecbench.check.stored.seed_groups import SeedGroup, by_seeds, seed_names
from liecbench.check.verdict import CheckResult, Verdict

# For each kind, the text in place of a metric's name if none of the kind's metrics has a value.
_KIND_NAMES: dict[Kind, str] = {
    "wire": "wire_bytes",
    "numerics": "accuracy, loss and compression error",
    "time": "communication and seconds",
}


def uncompared(
    label: str,
    group: SeedGroup,
    kind: Kind,
    compare: Callable[[str, Sequence[CellMatch]], Iterable[CheckResult]],
) -> list[CheckResult]:
    """Return NOT_COMPARED results for those seeds of a group whose metrics of ``kind`` cannot be compared.

    The list is empty if the metrics can be compared for all seeds.

    Args:
        label: The name of the group's cells. Seeds are added unless the reason applies to all seeds.
        group: Cells that differ only in the seed.
        kind: The kind of the metrics, such as times.
        compare: Called as ``compare(name, matches)``, it compares the metrics as if they were comparable. Its results
            supply both sides' values. Each of its verdicts is replaced with NOT_COMPARED. If no metric has a value, it
            is called again with the results' cells on both sides, for ``never_compared``.
    """
    found = []
    for name, reason, matches in _reasons(label, group, kind):
        compared = [one for one in compare(name, matches) if (one.baseline, one.current) != (None, None)]
        found += [_for_information(one, reason) for one in compared or [_without_values(name, kind, matches, compare)]]
    return found


def incomparable(label: str, group: SeedGroup, kind: Kind) -> list[tuple[str, list[CellMatch]]]:
    """Return, per reason why metrics of ``kind`` cannot be compared, the name of the cells and the cells."""
    return [(name, matches) for name, _, matches in _reasons(label, group, kind)]


def _reasons(label: str, group: SeedGroup, kind: Kind) -> list[tuple[str, str, list[CellMatch]]]:
    """Return (name of the cells, reason, cells) per distinct reason why metrics of ``kind`` cannot be compared."""
    if kind == "numerics" and not group.example.is_trained:
        return []
    reasons = {}
    for match in group.matches:
        if differences := match.differences(kind):
            whose = "machine" if any(text.startswith(("cpu:", "gpus:")) for text in differences) else "setting"
            reasons[match.seed] = f"the baseline is from another {whose}: {'; '.join(differences)}"
    return [
        (
            label if len(seeds) == len(group.matches) else f"{label} · {seed_names(seeds)}",
            reason,
            [match for match in group.matches if match.seed in seeds],
        )
        for reason, seeds in by_seeds(reasons).items()
    ]


def _without_values(
    name: str,
    kind: Kind,
    matches: Sequence[CellMatch],
    compare: Callable[[str, Sequence[CellMatch]], Iterable[CheckResult]],
) -> CheckResult:
    # If not even the results themselves could serve as a baseline, none could.
    best = [CellMatch(baseline=match.current, current=match.current) for match in matches]
    never = all(one.never_compared for one in compare(name, best))
    metric = _KIND_NAMES[kind]
    return CheckResult(cell=name, metric=metric, verdict=Verdict.NOT_COMPARED, reason="", never_compared=never)


def _for_information(result: CheckResult, reason: str) -> CheckResult:
    return dataclasses.replace(
        result, verdict=Verdict.NOT_COMPARED, reason=reason, low=None, high=None, smallest_detectable=None
    )
