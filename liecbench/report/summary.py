"""The answer in words, from the numbers only: which method pays off where, and what it costs in accuracy."""

from collections.abc import Iterator, Sequence

from liecbench.network.quantity import format_rate
from liecbench.report.columns import metric_text, state_text
from liecbench.report.parts import PART_SECONDS, divided, hidden, shares, time_parts
from liecbench.report.row_labels import Labels, provenance
from liecbench.results.break_even import BreakEven, break_evens
from liecbench.results.comparison import Estimate, Row

# A method keeps the baseline's accuracy if it is less than this below it.
_TOLERANCE = 0.005
_MOST_NAMED = 6


def lines(rows: Sequence[Row], labels: Labels, *, baseline: str, target: float | None) -> list[str]:
    """What is fastest in each setting and what it costs, each method's break-even, and what did not complete.

    Nothing where nothing is compared with a baseline.
    """
    settings: dict[str, list[Row]] = {}
    for row in rows:
        settings.setdefault(labels.setting(row), []).append(row)
    found = [
        line
        for setting, group in settings.items()
        for line in _setting_lines(setting, group, labels, baseline=baseline, target=target)
    ]
    return [*found, *_break_even_lines(break_evens(rows, baseline), labels, baseline), *_incomplete(rows, labels)]


def _setting_lines(
    setting: str, rows: Sequence[Row], labels: Labels, *, baseline: str, target: float | None
) -> Iterator[str]:
    start = f"{setting}{provenance(rows)}" if setting else provenance(rows).strip(" ()")
    start = f"{start}: " if start else ""
    rivals = [row for row in rows if row.fields["algorithm"] != baseline]
    others = [row for row in rivals if row.metrics["speedup"] is not None]
    if not others:
        if any(row.completed for row in rivals) and len(rivals) < len(rows):
            yield f"{start}nothing to compare with: {baseline} has no times of the same seeds"
        return
    if target is not None and any(row.metrics["seconds_to_target"] for row in rows):
        yield from _to_target(start, others, labels, baseline=baseline, target=target)
    else:
        if target is not None:
            yield f"{start}no method reaches {100 * target:g}% with every seed"
        yield from _fastest(start, others, "seconds_per_epoch", "an epoch", labels, baseline)


def _to_target(start: str, others: Sequence[Row], labels: Labels, *, baseline: str, target: float) -> Iterator[str]:
    there = [row for row in others if row.metrics["seconds_to_target"]]
    goal = f"to {100 * target:g}%"
    if not there:
        yield f"{start}only {baseline} reaches {100 * target:g}% with every seed"
        return
    fastest = min(there, key=lambda row: _mean(row, "seconds_to_target"))
    num_reached = sum("seconds_to_target" in metrics for metrics in _base_metrics(fastest).values())
    if num_reached < len(_base_metrics(fastest)):
        difference = difference_text(fastest.metrics["accuracy_difference"])
        missed = f"{baseline} does not get there"
        if num_reached:
            missed = f"{baseline} gets there with {num_reached} of {len(_base_metrics(fastest))} seeds"
        yield f"{start}fastest {goal} is {_named(fastest, labels)}; {missed}; accuracy {difference}"
        return
    yield from _fastest(start, there, "seconds_to_target", goal, labels, baseline)


def _fastest(start: str, others: Sequence[Row], metric: str, goal: str, labels: Labels, baseline: str) -> Iterator[str]:
    """The fastest, and where that costs accuracy the fastest that does not."""
    fastest = min(others, key=lambda row: _mean(row, metric))
    ratio = _ratio(fastest, metric)
    if ratio.mean <= 1:
        beaten = baseline if metric == "seconds_per_epoch" else f"{baseline} {goal}"
        speed = metric_text("speedup", ratio)
        yield f"{start}no method beats {beaten}; the fastest, {_named(fastest, labels)}, has {speed} its speed"
        return
    speed = f"{metric_text('speedup', ratio)} {baseline}'s speed{_doubt(ratio)}"
    words = f"{start}fastest {goal} is {_named(fastest, labels)}, {speed}"
    difference = fastest.metrics["accuracy_difference"]
    yield f"{words}, accuracy {difference_text(difference)}; {_time_goes(fastest, baseline)}"
    if keeps_accuracy(difference):
        return
    keeping = [row for row in others if keeps_accuracy(row.metrics["accuracy_difference"])]
    best = min(keeping, key=lambda row: _mean(row, metric), default=None)
    if best is None or (ratio := _ratio(best, metric)).mean <= 1:
        yield f"{start}no method is faster at {baseline}'s accuracy"
    else:
        difference = best.metrics["accuracy_difference"]
        speed = f"{metric_text('speedup', ratio)}{_doubt(ratio)}, accuracy {difference_text(difference)}"
        yield f"{start}at {baseline}'s accuracy it is {_named(best, labels)}, {speed}"


def _named(row: Row, labels: Labels) -> str:
    state = state_text(row)
    return f"{labels.method(row)} ({state})" if state else labels.method(row)


def _mean(row: Row, metric: str) -> float:
    value = row.metrics[metric]
    return float("inf") if value is None else value.mean


def _base_metrics(row: Row) -> dict[int, dict[str, float]]:
    """By seed what the row's baseline had, of the seeds that both have."""
    return {seed: metrics for seed, metrics in row.base_per_seed.items() if seed in row.per_seed}


def _ratio(row: Row, metric: str) -> Estimate:
    """How many times as fast as its baseline, seed by seed."""
    base = _base_metrics(row)
    return Estimate.of([base[seed][metric] / row.per_seed[seed][metric] for seed in base])


def _doubt(ratio: Estimate) -> str:
    return " (not shown to be faster)" if ratio.low is not None and ratio.low <= 1 else ""


def keeps_accuracy(difference: Estimate | None) -> bool:
    """Whether an accuracy is at most half a point below the baseline's."""
    return difference is not None and difference.mean >= -_TOLERANCE


def difference_text(difference: Estimate | None) -> str:
    """A difference of accuracies in points, with its interval."""
    if difference is None:
        return "unknown"
    text = f"{100 * difference.mean:+.1f} points"
    return text if difference.high is None else f"{text} ±{100 * (difference.high - difference.mean):.1f}"


def _time_goes(row: Row, baseline: str) -> str:
    """How much of its time a method computes, compresses and waits, and how much of the last two it hides."""
    computing, compressing, waiting = (100 * part for part in shares(time_parts(row)))
    words = f"it computes {computing:.0f}%, compresses {compressing:.0f}% and waits {waiting:.0f}% of its time"
    concealed = 100 * hidden(row)
    more = f", {concealed:.0f}% of the last two hidden" if concealed >= 1 else ""
    base = list(_base_metrics(row).values())
    total = [sum(metrics[f"{name}_seconds_per_epoch"] for metrics in base) for name in PART_SECONDS]
    return f"{words}{more} ({baseline} waits {100 * shares(divided(*total))[-1]:.0f}%)"


def _incomplete(rows: Sequence[Row], labels: Labels) -> list[str]:
    lost = [f"{labels.whole(row)} ({state_text(row)})" for row in rows if state_text(row)]
    more = f" and {len(lost) - _MOST_NAMED} more" if len(lost) > _MOST_NAMED else ""
    return [f"not complete: {', '.join(lost[:_MOST_NAMED])}{more}"] if lost else []


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
    if found.verdict == "unclear" or rate is None:
        return f"too close to {baseline} to call from {_range(found)}"
    words = f"faster than {baseline} {found.verdict} {_mbit(rate.mean)}"
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
