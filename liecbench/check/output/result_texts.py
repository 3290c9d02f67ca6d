"""The texts of a check's results: amounts with their units, changes, and evidence."""

import math
from typing import Final

from liecbench.check.verdict import CheckResult, UngatedMetric

_SCALES: Final = {
    "seconds": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
}
_LEAST_DIGITS, _MOST_DIGITS = 3, 17


def result_texts(result: CheckResult) -> dict[str, str]:
    """Return a result's texts by column heading, each a single line. The text of an unknown value is empty."""
    baseline, now = _amounts(result.metric, result.baseline, result.current, percent=result.unit == "points")
    detectable = result.smallest_detectable
    return {
        "verdict": result.verdict.upper(),
        "cell": one_line(result.cell),
        "metric": one_line(spaced(result.metric)) + " ~" * result.noisy,
        "baseline": baseline,
        "now": now,
        "change": _change(result),
        "pairs": _pairs(result),
        "evidence": _evidence(result),
        "smallest detectable": "" if detectable is None else _amount_of_change(detectable, result).removeprefix("+"),
    }


def ungated_texts(metric: UngatedMetric) -> dict[str, str]:
    """Return a table row for a metric that never changes the verdict: the row's texts, by column heading."""
    baseline, now = _amounts(metric.metric, metric.baseline, metric.current, percent=False)
    change = f"{_signed(100 * (metric.current / metric.baseline - 1))} %" if metric.baseline else ""
    return {
        "cell": one_line(metric.cell),
        "metric": one_line(spaced(metric.metric)),
        "baseline": baseline,
        "now": now,
        "change": change,
    }


def one_line(text: str) -> str:
    """Return the text as one line. Control characters, which could move the cursor, and whitespace become spaces.

    Adjacent spaces are merged to one.
    """
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def spaced(metric: str) -> str:
    """Return the name of a metric with spaces in place of underscores."""
    return metric.replace("_", " ")


def _pairs(result: CheckResult) -> str:
    decisive = "" if result.decided_after is None else f"{result.decided_after} of "
    return f"{decisive}{len(result.pairs)}" if result.pairs else ""


def _change(result: CheckResult) -> str:
    if result.change is None:
        return ""
    text = _amount_of_change(result.change, result)
    if result.low is None and result.high is None:
        return text
    low, high = ("…" if bound is None else _change_number(bound, result) for bound in (result.low, result.high))
    return f"{text} [{low}, {high}]"


def _amount_of_change(value: float, result: CheckResult) -> str:
    return f"{_change_number(value, result)} {'%' if result.unit == 'relative' else result.unit}"


def _change_number(value: float, result: CheckResult) -> str:
    return f"{value:+.3f}".replace("-", "−") if result.unit == "nats" else _signed(100 * value)


def _signed(value: float) -> str:
    """Return a signed number with one decimal, or with two significant digits if one decimal would show 0.0."""
    text = f"{value:+,.1f}"
    if value and text in ("+0.0", "-0.0"):
        text = f"{value:+.2g}"
    return text.replace("-", "−").replace("inf", "∞")


def _evidence(result: CheckResult) -> str:
    if result.evidence is None:
        return ""
    slower, within = (
        f"{value:.0f}" if 99.5 <= value < 1e5 else f"{value:.2g}"
        for value in (result.evidence.slower, result.evidence.within)
    )
    return f"slower {slower}, within {within}"


def _amounts(metric: str, baseline: float | None, now: float | None, *, percent: bool) -> tuple[str, str]:
    """Return ``baseline`` and ``now`` as texts with the unit of ``metric``, or as percentages if ``percent``.

    Unequal values get enough digits to look different, but at most ``_MOST_DIGITS``.
    """
    measured = metric.partition("_per_")[0]
    kind = "percent" if percent else next((name for name in _SCALES if measured.endswith(name)), "")
    for digits in range(_LEAST_DIGITS, _MOST_DIGITS + 1):
        pair = _amount(baseline, kind, digits), _amount(now, kind, digits)
        if pair[0] != pair[1] or baseline == now:
            break
    return pair


def _amount(value: float | None, kind: str, digits: int) -> str:
    if value is None:
        return ""
    if kind == "percent":
        return f"{100 * value:.{digits - 2}f} %"
    scales = _SCALES.get(kind, ((1.0, ""),))
    # With three digits, 0.9995 of a unit is shown as 1.
    size, unit = next((scale for scale in scales if abs(value) >= 0.9995 * scale[0]), scales[-1])
    scaled = value / size
    whole = len(f"{abs(scaled):.0f}") if math.isfinite(scaled) and abs(scaled) < 1e15 else 0
    return f"{scaled:,.{max(digits, whole)}g} {unit}".rstrip()
