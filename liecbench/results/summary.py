"""The verdict of a comparison in words: each setting's fastest method and its accuracy, and break-even bandwidths."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from liecbench.network.quantity import format_rate
from liecbench.results.break_even import BreakEven
from liecbench.results.row_labels import Labels, provenance
from liecbench.results.rows import Row
from liecbench.results.statistics import Estimate
from liecbench.results.time_parts import EpochSeconds
from liecbench.results.units import RATIO

# A method keeps the baseline's accuracy if its own, a fraction, is lower by at most this.
_TOLERANCE: Final = 0.005
_MAX_ROWS_NAMED: Final = 6


def verdict_lines(
    settings: Mapping[str, Sequence[Row]],
    found: Sequence[BreakEven],
    labels: Labels,
    *,
    baseline: str,
    target_accuracy: float | None,
) -> list[str]:
    """Return the verdict, one sentence per line.

    It names each setting's fastest method and its accuracy, each method's break-even bandwidth, and the rows that did
    not complete.

    Args:
        settings: The rows of each setting, by the setting's name.
        found: The break-evens.
        labels: The names of methods and settings.
        baseline: The algorithm that the others are compared with.
        target_accuracy: An accuracy from 0 to 1, or None. In settings where a row reaches it with every seed, methods
            are ranked by the time to reach it; in other settings, by the time per epoch.
    """
    lines = [
        line
        for setting, rows in settings.items()
        for line in _SettingVerdict(
            prefix=_prefix(setting, rows),
            rows=tuple(rows),
            labels=labels,
            baseline=baseline,
            target_accuracy=target_accuracy,
        ).lines()
    ]
    every_row = [row for rows in settings.values() for row in rows]
    return [*lines, *_break_even_lines(found, labels, baseline), *_incomplete(every_row, labels)]


def _prefix(setting: str, rows: Sequence[Row]) -> str:
    suffix = provenance(rows)
    text = f"{setting}{suffix}" if setting else suffix.strip(" ()")
    return f"{text}: " if text else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _SettingVerdict:
    """The verdict on the rows of one setting."""

    prefix: str
    rows: tuple[Row, ...]
    labels: Labels
    baseline: str
    target_accuracy: float | None

    @property
    def target(self) -> str:
        return "" if self.target_accuracy is None else f"{100 * self.target_accuracy:g}%"

    def lines(self) -> Iterator[str]:
        rivals = [row for row in self.rows if row.algorithm != self.baseline]
        compared = [row for row in rivals if row.metrics["speedup"] is not None]
        if not compared:
            if any(row.num_completed for row in rivals) and len(rivals) < len(self.rows):
                yield f"{self.prefix}nothing to compare with: {self.baseline} has no times of the same seeds"
        elif self.target_accuracy is not None and any(row.metrics["seconds_to_target"] for row in self.rows):
            yield from self._to_target(compared)
        else:
            if self.target_accuracy is not None:
                yield f"{self.prefix}no method reaches {self.target} with every seed"
            yield from self._fastest(compared, "seconds_per_epoch", "per epoch")

    def _to_target(self, compared: Sequence[Row]) -> Iterator[str]:
        reaching = [row for row in compared if row.metrics["seconds_to_target"]]
        if not reaching:
            yield f"{self.prefix}only {self.baseline} reaches {self.target} with every seed"
            return
        fastest = min(reaching, key=lambda row: _mean(row, "seconds_to_target"))
        paired = _paired_baseline(fastest)
        num_reached = sum("seconds_to_target" in metrics for metrics in paired.values())
        if num_reached == len(paired):
            yield from self._fastest(reaching, "seconds_to_target", f"to {self.target}")
            return
        missed = f"{self.baseline} does not get there"
        if num_reached:
            missed = f"{self.baseline} gets there with {num_reached} of {len(paired)} seeds"
        accuracy = difference_text(fastest.metrics["accuracy_difference"])
        yield f"{self.prefix}fastest to {self.target} is {self._name(fastest)}; {missed}; accuracy {accuracy}"

    def _fastest(self, compared: Sequence[Row], metric: str, goal: str) -> Iterator[str]:
        """Yield a sentence on the fastest row and, if it loses accuracy, one on the fastest row that keeps accuracy.

        Args:
            compared: The rows to choose from, without the baseline's.
            metric: The name of the metric, in seconds, by which rows are ranked.
            goal: The words for this metric in the sentences, such as ``per epoch``.
        """
        fastest = min(compared, key=lambda row: _mean(row, metric))
        ratio = _speed_ratio(fastest, metric)
        if ratio.mean <= 1:
            beaten = self.baseline if metric == "seconds_per_epoch" else f"{self.baseline} {goal}"
            name, speed = self._name(fastest), RATIO.text(ratio)
            yield f"{self.prefix}no method beats {beaten}; the fastest, {name}, has {speed} its speed"
            return
        speed = f"{RATIO.text(ratio)} {self.baseline}'s speed{_not_shown(ratio)}"
        accuracy = difference_text(fastest.metrics["accuracy_difference"])
        sentence = f"fastest {goal} is {self._name(fastest)}, {speed}, accuracy {accuracy}"
        yield f"{self.prefix}{sentence}; {_time_parts_text(fastest, self.baseline)}"
        if not keeps_accuracy(fastest.metrics["accuracy_difference"]):
            yield self._fastest_at_equal_accuracy(compared, metric)

    def _fastest_at_equal_accuracy(self, compared: Sequence[Row], metric: str) -> str:
        keeping = [row for row in compared if keeps_accuracy(row.metrics["accuracy_difference"])]
        best = min(keeping, key=lambda row: _mean(row, metric), default=None)
        if best is None or (ratio := _speed_ratio(best, metric)).mean <= 1:
            return f"{self.prefix}no method is faster at {self.baseline}'s accuracy"
        accuracy = difference_text(best.metrics["accuracy_difference"])
        speed = f"{RATIO.text(ratio)}{_not_shown(ratio)}, accuracy {accuracy}"
        return f"{self.prefix}at {self.baseline}'s accuracy it is {self._name(best)}, {speed}"

    def _name(self, row: Row) -> str:
        return f"{self.labels.method(row)} ({row.state})" if row.state else self.labels.method(row)


def _mean(row: Row, metric: str) -> float:
    value = row.metrics[metric]
    return float("inf") if value is None else value.mean


def _paired_baseline(row: Row) -> dict[int, dict[str, float]]:
    """Return the baseline's metrics by seed, only for seeds that the row completed too."""
    return {seed: metrics for seed, metrics in row.baseline_per_seed.items() if seed in row.per_seed}


def _speed_ratio(row: Row, metric: str) -> Estimate:
    """Return the mean over seeds of the baseline's time ÷ the row's time; ``metric`` names the time."""
    base = _paired_baseline(row)
    return Estimate.of([base[seed][metric] / row.per_seed[seed][metric] for seed in base])


def _not_shown(ratio: Estimate) -> str:
    return " (not shown to be faster)" if ratio.low is not None and ratio.low <= 1 else ""


def keeps_accuracy(difference: Estimate | None) -> bool:
    """Return True if the accuracy is known to be at most half a percentage point below the baseline's."""
    return difference is not None and difference.mean >= -_TOLERANCE


def difference_text(difference: Estimate | None) -> str:
    """Return an accuracy difference as text: percentage points ± half of the 95 % interval."""
    if difference is None:
        return "unknown"
    text = f"{100 * difference.mean:+.1f} points"
    return text if difference.half_width is None else f"{text} ±{100 * difference.half_width:.1f}"


def _time_parts_text(row: Row, baseline: str) -> str:
    """Return as text the shares of a row's time, the hidden share of communication, and the baseline's waiting."""
    seconds = EpochSeconds.of_row(row)
    computing, compressing, waiting = (100 * share for share in seconds.shares)
    words = f"it computes {computing:.0f}%, compresses {compressing:.0f}% and waits {waiting:.0f}% of its time"
    hidden = 100 * seconds.hidden
    more = f", {hidden:.0f}% of the last two hidden" if hidden >= 1 else ""
    waits = 100 * EpochSeconds.total(list(_paired_baseline(row).values())).shares[-1]
    return f"{words}{more} ({baseline} waits {waits:.0f}%)"


def _incomplete(rows: Sequence[Row], labels: Labels) -> list[str]:
    incomplete = [f"{labels.whole(row)} ({row.state})" for row in rows if row.state]
    more = f" and {len(incomplete) - _MAX_ROWS_NAMED} more" if len(incomplete) > _MAX_ROWS_NAMED else ""
    return [f"not complete: {', '.join(incomplete[:_MAX_ROWS_NAMED])}{more}"] if incomplete else []


def _break_even_lines(found: Sequence[BreakEven], labels: Labels, baseline: str) -> Iterator[str]:
    """Yield the lines on break-evens.

    First come the methods faster than the baseline at every rate, one line per range of rates; then the methods slower
    at every rate, likewise; then one line for each other method.
    """
    at_every_rate = {"always": "faster", "never": "slower"}
    for outcome, comparative in at_every_rate.items():
        names_by_range: dict[str, list[str]] = {}
        for one in found:
            if one.outcome == outcome:
                names_by_range.setdefault(_range(one), []).append(_method(one, labels))
        for rates, names in names_by_range.items():
            yield f"{comparative} than {baseline} at every rate from {rates}: {', '.join(names)}"
    for one in found:
        if one.outcome not in at_every_rate:
            yield f"{_method(one, labels)}: {_crossing(one, baseline)}"


def _method(found: BreakEven, labels: Labels) -> str:
    return labels.whole(found.rows[0], without="link") + provenance(found.rows)


def _range(found: BreakEven) -> str:
    return f"{format_rate(found.lowest_bits_per_second)} to {format_rate(found.highest_bits_per_second)}"


def _crossing(found: BreakEven, baseline: str) -> str:
    rate = found.bits_per_second
    if found.outcome == "unclear" or rate is None:
        return f"too close to {baseline} to call from {_range(found)}"
    words = f"faster than {baseline} {found.outcome} {_mbit(rate.mean)}"
    if found.crossing_seeds < found.num_seeds:
        return f"{words} ({found.crossing_seeds} of {found.num_seeds} seeds cross)"
    if rate.low is None or rate.high is None:
        return words
    low, high = found.lowest_bits_per_second, found.highest_bits_per_second
    least = f"less than {_mbit(low)}" if rate.low < low else _mbit(rate.low)
    most = f"more than {_mbit(high)}" if rate.high > high else _mbit(rate.high)
    return f"{words} ({least} to {most})"


def _mbit(rate: float) -> str:
    return f"{rate / 1e6:.3g} Mbit/s"
