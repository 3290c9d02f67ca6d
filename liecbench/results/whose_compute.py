"""Phrases on how long steps compute, such as ``for steps that compute 0.36 s, as measured here``.

The phrases stand next to a method's break-even, or the bandwidth that a method needs, because both hold only for this
compute time.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from liecbench.results.row_labels import Labels
from liecbench.results.rows import Row

ComputeSource = Literal["measured", "replayed", "predicted", "assumed"]
_WORDS: Final[dict[ComputeSource, str]] = {
    "measured": "as measured here",
    "replayed": "as replayed from a profile",
    "predicted": "as in the profile",
    "assumed": "as assumed",
}
# Settings whose compute seconds differ by less than this factor share one number.
_EQUAL: Final = 1.1
_MOST_SETTINGS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCompute:
    """The compute seconds of a step on one rank, and their source, such as ``measured`` or ``replayed``."""

    seconds: float
    source: ComputeSource

    def as_json(self) -> dict[str, Any]:
        """Return the seconds and their source as fields of a JSON object."""
        return {"compute_seconds_per_step": self.seconds, "compute_source": self.source}


def step_compute(rows: Sequence[Row]) -> StepCompute | None:
    """Return the compute seconds of a step, the median over ``rows``; None if no row has them.

    The result's ``source`` is ``replayed`` if a row with compute seconds replays a profile, else ``measured``.
    """
    known = [(row, seconds) for row in rows if (seconds := _seconds(row)) is not None]
    if not known:
        return None
    replayed = any(row.cells[0].spec.get("compute") == "replayed" for row, _ in known)
    return StepCompute(
        seconds=statistics.median(seconds for _, seconds in known), source="replayed" if replayed else "measured"
    )


def whose_compute(rows: Iterable[Row], labels: Labels) -> str:
    """Return the rows' compute seconds per step in words: ``for steps that compute 0.36 s, as measured here``.

    The text is empty if no compute seconds are known. If the rows differ in settings other than the link, such as the
    number of workers, the text may have several numbers; see ``compute_text``.
    """
    settings: dict[str, list[StepCompute]] = {}
    for row in rows:
        if (compute := step_compute([row])) is not None:
            settings.setdefault(labels.setting(row, without=("link",)), []).append(compute)
    return compute_text(settings)


def compute_text(found: Mapping[str, Sequence[StepCompute]]) -> str:
    """Return a phrase on how long steps compute, such as ``for steps that compute 0.36 s, as measured here``.

    The phrase is empty if there are no steps. Otherwise, the phrase has one part per source of steps, such as
    ``measured``. A part shows the median compute seconds of each setting in one of these forms:

    - ``0.36 s``, the median of the medians, if all steps have one source and the medians differ by at most 10 %;
    - otherwise ``0.36 s (4 workers) or 0.48 s (8 workers)`` for up to four settings;
    - otherwise ``0.36 s to 0.48 s`` for more than four settings.

    Args:
        found: The compute seconds and sources of steps, by setting. A key names the setting, such as ``4 workers``.
    """
    parts = []
    for source, words in _WORDS.items():
        seconds = {setting: [one.seconds for one in all_ if one.source == source] for setting, all_ in found.items()}
        of_source = {setting: statistics.median(values) for setting, values in seconds.items() if values}
        if of_source:
            is_alone = sum(map(len, seconds.values())) == sum(map(len, found.values()))
            parts.append(f"{_seconds_by_setting(of_source, named=not is_alone)}, {words}")
    return f"for steps that compute {', or '.join(parts)}" if parts else ""


def _seconds_by_setting(seconds: dict[str, float], *, named: bool) -> str:
    low, high = min(seconds.values()), max(seconds.values())
    if high <= _EQUAL * low and not named:
        return _duration(statistics.median(seconds.values()))
    if len(seconds) > _MOST_SETTINGS:
        return f"{_duration(low)} to {_duration(high)}"
    return " or ".join(f"{_duration(value)} ({setting})" for setting, value in seconds.items())


def _duration(seconds: float) -> str:
    value, unit = (seconds, "s") if seconds >= 0.1 else (1000 * seconds, "ms")
    return f"{value:.2g} {unit}" if value < 99.5 else f"{value:.0f} {unit}"


def _seconds(row: Row) -> float | None:
    """Return the row's mean compute seconds per step; None if they are unknown."""
    per_epoch = row.metrics["compute_seconds_per_epoch"]
    steps = [cell.epochs[-1].steps for cell in row.cells if cell.status == "completed"]
    return None if per_epoch is None or not steps else per_epoch.mean / statistics.fmean(steps)
