"""The answer in words, from the numbers only: which method pays off where, and what it costs in accuracy."""

from collections.abc import Iterator, Sequence

from liecbench.breakeven import BreakEven, break_evens
from liecbench.link import format_rate
from liecbench.report.columns import metric_text
from liecbench.report.figures import time_parts
from liecbench.report.labels import Labels, provenance
from liecbench.results import Estimate, Row

# A method keeps the baseline's accuracy if it is less than this below it, or not shown to be below it by its interval.
_TOLERANCE = 0.005


def lines(rows: Sequence[Row], labels: Labels, *, baseline: str, target: float | None) -> list[str]:
    """A line a setting, one for each method's break-even, and where time goes; nothing where nothing is compared."""
    timed = [row for row in rows if row.metrics["seconds_per_epoch"] is not None]
    settings: dict[str, list[Row]] = {}
    for row in timed:
        settings.setdefault(labels.setting(row), []).append(row)
    found = [
        line
        for setting, group in settings.items()
        for line in _setting_lines(setting, group, labels, baseline=baseline, target=target)
    ]
    return [*found, *_break_even_lines(break_evens(rows, baseline), labels, baseline)]


def _setting_lines(
    setting: str, rows: Sequence[Row], labels: Labels, *, baseline: str, target: float | None
) -> Iterator[str]:
    base = next((row for row in rows if row.fields["algorithm"] == baseline), None)
    others = [row for row in rows if row.metrics["speedup"] is not None and row is not base]
    if base is None or not others:
        return
    metric = "seconds_per_epoch"
    goal = "an epoch"
    if target is not None and any(row.metrics["seconds_to_target"] for row in others):
        metric, goal = "seconds_to_target", f"to {100 * target:g}%"
    fastest = min((row for row in others if row.metrics[metric]), key=lambda row: _mean(row, metric))
    start = f"{setting}{provenance(rows)}".strip()
    start = f"{start}: " if start else ""
    ratio = _ratio(fastest, base, metric)
    if not _wins(ratio):
        beaten = baseline if metric == "seconds_per_epoch" else f"{baseline} {goal}"
        speed = metric_text("speedup", ratio)
        yield f"{start}no method beats {beaten}; the fastest, {labels.method(fastest)}, has {speed} its speed"
        return
    if target is not None and metric == "seconds_per_epoch":
        yield f"{start}no method reaches {100 * target:g}% with every seed"
    speed = (
        f"which {baseline} does not reach" if ratio is None else f"{metric_text('speedup', ratio)} {baseline}'s speed"
    )
    words = f"{start}fastest {goal} is {labels.method(fastest)}, {speed}"
    yield f"{words}, accuracy {difference_text(fastest.metrics['accuracy_difference'])}{_waiting(base, baseline)}"
    if keeps_accuracy(fastest.metrics["accuracy_difference"]):
        return
    keeping = [r for r in others if r.metrics[metric] and keeps_accuracy(r.metrics["accuracy_difference"])]
    best = min(keeping, key=lambda row: _mean(row, metric), default=None)
    if best is None or not _wins(ratio := _ratio(best, base, metric)):
        yield f"{start}no method is faster at {baseline}'s accuracy"
    else:
        speed = "" if ratio is None else f"{metric_text('speedup', ratio)}, "
        difference = difference_text(best.metrics["accuracy_difference"])
        yield f"{start}at {baseline}'s accuracy it is {labels.method(best)}, {speed}accuracy {difference}"


def _mean(row: Row, metric: str) -> float:
    value = row.metrics[metric]
    return float("inf") if value is None else value.mean


def _wins(ratio: Estimate | None) -> bool:
    return ratio is None or ratio.mean > 1


def _ratio(row: Row, base: Row, metric: str) -> Estimate | None:
    """How many times as fast as the baseline, seed by seed; None where the baseline never gets there."""
    ratios = [
        base.per_seed[seed][metric] / metrics[metric]
        for seed, metrics in row.per_seed.items()
        if metric in metrics and metric in base.per_seed.get(seed, {})
    ]
    return Estimate.of(ratios) if ratios else None


def keeps_accuracy(difference: Estimate | None) -> bool:
    """Whether an accuracy is the baseline's, as far as its seeds can tell."""
    if difference is None:
        return False
    return difference.mean >= -_TOLERANCE or (difference.high is not None and difference.high >= 0)


def difference_text(difference: Estimate | None) -> str:
    """A difference of accuracies in points, with its interval."""
    if difference is None:
        return "unknown"
    text = f"{100 * difference.mean:+.1f} points"
    return text if difference.high is None else f"{text} ±{100 * (difference.high - difference.mean):.1f}"


def _waiting(base: Row, baseline: str) -> str:
    computing, compressing, communicating = time_parts(base)
    share = communicating / (computing + compressing + communicating)
    return f"; {baseline} waits for the network {100 * share:.0f}% of its time"


def _break_even_lines(found: Sequence[BreakEven], labels: Labels, baseline: str) -> Iterator[str]:
    """What holds at every rate together, then each method that crosses."""
    together = {"always": f"faster than {baseline} at every rate", "never": f"slower than {baseline} at every rate"}
    for verdict, words in together.items():
        ranges: dict[str, list[str]] = {}
        for one in found:
            if one.verdict == verdict:
                ranges.setdefault(_range(one), []).append(_name(one, labels))
        for rates, names in ranges.items():
            yield f"{words} from {rates}: {', '.join(names)}"
    for one in found:
        if one.verdict not in together:
            yield f"{_name(one, labels)}: {_crossing(one, baseline)}"


def _name(found: BreakEven, labels: Labels) -> str:
    return labels.whole(found.rows[0], without="link") + provenance(found.rows)


def _range(found: BreakEven) -> str:
    return f"{format_rate(found.lowest_bits_per_second)} to {format_rate(found.highest_bits_per_second)}"


def _crossing(found: BreakEven, baseline: str) -> str:
    rate = found.bits_per_second
    if found.verdict == "unclear":
        return f"crosses {baseline} more than once from {_range(found)}: too close to call"
    if rate is None:
        return f"its seeds differ in whether it is faster than {baseline} from {_range(found)}: too close to call"
    interval = "" if rate.low is None or rate.high is None else f" ({_mbit(max(0.0, rate.low))} to {_mbit(rate.high)})"
    return f"faster than {baseline} {found.verdict} {_mbit(rate.mean)}{interval}"


def _mbit(rate: float) -> str:
    return f"{rate / 1e6:.3g} Mbit/s"
