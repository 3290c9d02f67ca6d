"""The error table of predictions, as plain text, Markdown or JSON.

Each line has a method's measured step time on a link, the predicted step time, and the relative error.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from liecbench.config.cell import Cell
from liecbench.network.quantity import format_rate
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.prediction.validation import ValidatedBreakEven, ValidatedStep, Validation
from liecbench.results.row_flags import MEANINGS

_HEADINGS: Final = ("method", "model", "workers", "link", "measured", "predicted", "error", "flags")


def markdown(found: Validation, costs: TransportCosts) -> str:
    """Return the error table in Markdown, followed by the lines of ``summary(found, costs)`` as a list."""
    lines = [_HEADINGS, ("---",) * len(_HEADINGS), *map(_texts, found.steps)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n".join([table, "", *(f"- {line}" for line in summary(found, costs)), ""])


def plain(found: Validation, costs: TransportCosts) -> str:
    """Return the error table in aligned columns, followed by the lines of ``summary(found, costs)``."""
    lines = [_HEADINGS, *map(_texts, found.steps)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines)
    return "\n".join([*rows, *summary(found, costs), ""])


def to_json(found: Validation, costs: TransportCosts) -> str:
    """Return the error table and the summary as the text of a JSON object.

    The keys are ``rows``, ``settings``, ``break_even``, ``median_error``, ``high_error`` and ``transport``. The value
    of ``transport`` says in words where ``costs``, the constants behind the predictions, come from.
    """
    content = {
        "rows": [_object(step) for step in found.steps],
        "settings": [{"setting": name, "winner_in_fastest": right} for name, right in found.settings],
        "break_even": [_break_even_object(one) for one in found.break_evens],
        "median_error": found.median_error,
        "high_error": found.high_error,
        "transport": costs.source,
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _model(cell: Cell) -> str:
    """Return the name of a cell's model. If the cell's task is a profile, return text such as ``profile 1a2b3c4d``.

    A task that is a profile trains no model. The digits are the first eight of the SHA-256 of the profile's file.
    """
    own = cell.task.profile
    return cell.task.model.name if own is None else f"profile {own[:8]}"


def summary(found: Validation, costs: TransportCosts) -> Iterator[str]:
    """Yield the lines below the table: the flags that occur, errors, predicted winners, break-evens, and ``costs``."""
    flags = {flag for step in found.steps for flag in step.measured.flags}
    yield from (f"{flag}: {meaning}" for flag, meaning in MEANINGS.items() if flag in flags)
    yield (
        f"{len(found.steps)} rows: median error {found.median_error:.1%}, 95th percentile {found.high_error:.1%} "
        "(absolute)"
    )
    if found.settings:
        yield f"predicted winner in the measured fastest set: {found.num_right} of {len(found.settings)} settings"
        yield from (f"  not in {name or 'the only setting'}" for name, right in found.settings if not right)
    for one in found.break_evens:
        measured = f"{format_rate(one.low)} to {format_rate(one.high)}"
        predicted = "none" if one.predicted is None else format_rate(int(float(f"{one.predicted:.3g}")))
        error = "" if one.error is None else f" ({one.error:+.0%})"
        yield f"break-even of {one.name}, {one.workers} workers: measured {measured}, predicted {predicted}{error}"
    yield f"transport: {costs.source}"


def _texts(step: ValidatedStep) -> tuple[str, ...]:
    measured, cell = step.measured, step.measured.cell
    return (
        measured.name,
        _model(cell),
        str(cell.workers),
        str(cell.link),
        _seconds(measured.seconds),
        _seconds(step.predicted_seconds),
        f"{step.error:+.1%}",
        " ".join(measured.flags),
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _object(step: ValidatedStep) -> dict[str, Any]:
    measured, cell = step.measured, step.measured.cell
    return {
        "method": measured.name,
        "model": _model(cell),
        "workers": cell.workers,
        "link": cell.link.spec(),
        "measured_seconds_per_step": measured.seconds,
        "predicted_seconds_per_step": step.predicted_seconds,
        "error": step.error,
        "flags": list(measured.flags),
    }


def _break_even_object(one: ValidatedBreakEven) -> dict[str, Any]:
    return {
        "method": one.name,
        "workers": one.workers,
        "low_bits_per_second": one.low,
        "high_bits_per_second": one.high,
        "predicted_bits_per_second": one.predicted,
        "error": one.error,
    }
