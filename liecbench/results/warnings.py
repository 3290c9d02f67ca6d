"""What a reader must know of cells before trusting their row."""

from collections.abc import Sequence
from typing import Final

from liecbench.network.link_map import LinkMap
from liecbench.network.measurement import WARNING_DEVIATION, recorded_misses
from liecbench.results.cells import CellResult
from liecbench.results.gpu_metrics import sharing_warnings, throttling_warnings

# Above this half-width of a composed cell's mean step readers are warned; timing stops at 0.02 where it can.
IMPRECISE: Final = 0.025


def caveats(group: Sequence[CellResult]) -> list[str]:
    """An unheld link, shared or slowed GPUs, averaging that no run came to, imprecise compositions."""
    on_gpus = [*sharing_warnings(group), *throttling_warnings(group)]
    return [*_link_warnings(group), *on_gpus, *_averaging_warnings(group), *_composition_warnings(group)]


def _composition_warnings(group: Sequence[CellResult]) -> list[str]:
    kinds: dict[str, float] = {}
    for composed in (cell.epochs[-1].composed for cell in group if cell.epochs):
        for name, kind in composed.kinds.items() if composed else ():
            kinds[name] = max(kinds.get(name, 0.0), kind.half_width_seconds / kind.mean_seconds)
    link = LinkMap.parse(group[0].spec["link"])
    return [
        f"composed: its {'' if name == 'step' else name + ' '}steps on {link} are known to {width:.0%} only"
        for name, width in kinds.items()
        if width > IMPRECISE
    ]


def _link_warnings(group: Sequence[CellResult]) -> list[str]:
    off = list(dict.fromkeys(text for cell in group for text in recorded_misses(cell.environment)))
    more = f" and {len(off) - 3} more" if len(off) > 3 else ""
    warnings = [f"its link is off by more than {WARNING_DEVIATION:.0%}: {'; '.join(off[:3])}{more}"] if off else []
    if group[0].spec.get("enforcement") == "process" and LinkMap.parse(group[0].spec["link"]).shaped:
        warnings.append("paced by the processes, not enforced by the kernel: its times are estimated")
    return warnings


def _averaging_warnings(group: Sequence[CellResult]) -> list[str]:
    period = group[0].spec["algorithm"].get("average_period", 1)
    steps = [sum(epoch.steps for epoch in cell.epochs) for cell in group if cell.status == "completed"]
    if not steps or max(steps) >= period:
        return []
    return [f"its {max(steps)} steps are fewer than average_period {period}: no averaging is in its time and bytes"]
