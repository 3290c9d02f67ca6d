"""Units of metrics, and the format of their numbers for people."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from liecbench.results.statistics import Estimate

_TIMES: Final = ((1.0, 1.0, "s"), (1e-3, 1e-3, "ms"), (0.0, 1e-6, "µs"))
_BYTE_PREFIXES: Final = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
_COUNT_SUFFIXES: Final = ((10**9, "G"), (10**6, "M"), (10**3, "k"))
# The mean of equal values may differ from them in the last bits. An interval narrower than this fraction of the mean is
# such rounding and is not shown.
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit and the function that formats its numbers.

    ``has_range`` is True if intervals are not symmetric. Intervals are then shown by their two ends, such as
    ``(1.10 to 1.40)``. Otherwise they are shown as ± half their width.
    """

    name: str
    format: Callable[[float], str]
    has_range: bool = False  # the interval is shown by its ends, because it is not symmetric

    def text(self, value: Estimate | None) -> str:
        """Return the text of an estimate, such as ``1.23× ±0.05×``; a dash if ``value`` is None.

        The mean comes first. The confidence interval follows, unless the interval is unknown or as narrow as rounding
        errors. If ``has_range`` is True and both ends of the interval are known, the two ends are shown, such as
        ``1.23× (1.10 to 1.40)``. Otherwise, ± half the interval's width is shown.
        """
        if value is None:
            return "–"
        text, half_width = self.format(value.mean), value.half_width
        if half_width is not None and half_width <= _ROUNDING * abs(value.mean):
            return text
        if self.has_range and half_width and value.low is not None and value.high is not None:
            low, high = (self.format(bound).removesuffix("×") for bound in (value.low, value.high))
            return f"{text} ({low} to {high})"
        return f"{text} ±{self.format(half_width).removeprefix('+')}" if half_width else text


def _bytes(value: float) -> str:
    for size, prefixed in _BYTE_PREFIXES:
        if value >= 0.9995 * size:
            return f"{value / size:.3g} {prefixed}"
    return f"{value:.0f} B"


def _count(value: float) -> str:
    for size, suffix in _COUNT_SUFFIXES:
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g}"


def _times(value: float) -> str:
    return f"{value:.1f}×" if value >= 10 else f"{value:.2f}×"


def _three_digits(value: float) -> str:
    return f"{value:.3g}" if value < 999.5 else f"{value:.0f}"


def _loss(value: float) -> str:
    return f"{value:.3f}" if 1 <= value < 100 else _three_digits(value)


FRACTION: Final = Unit(name="fraction", format=lambda value: f"{value * 100:.1f}%")
POINTS: Final = Unit(name="fraction", format=lambda value: f"{value * 100:+.1f}")
RATIO: Final = Unit(name="ratio", format=_times)
RATIO_RANGE: Final = Unit(name="ratio", format=_times, has_range=True)
LOSS: Final = Unit(name="nats", format=_loss)
LOSS_DIFFERENCE: Final = Unit(name="nats", format=lambda value: f"{value:+.3f}")
PERPLEXITY: Final = Unit(name="perplexity", format=_three_digits)
SAMPLES: Final = Unit(name="samples", format=_count)
TOKENS: Final = Unit(name="tokens", format=_count)
TOKENS_PER_SECOND: Final = Unit(name="tokens per second", format=_count)
EPOCHS: Final = Unit(name="epochs", format=_three_digits)
SECONDS: Final = Unit(name="seconds", format=_three_digits)
BYTES: Final = Unit(name="bytes", format=_bytes)
JOULES: Final = Unit(name="joules", format=_three_digits)
WATTS: Final = Unit(name="watts", format=_three_digits)
HERTZ: Final = Unit(name="hertz", format=lambda value: f"{value / 1e9:.3g} GHz")


def duration_text(seconds: float | None) -> str:
    """Return a duration as text in s, ms or µs, such as ``12.3 ms``; return a dash for None."""
    if seconds is None:
        return "–"
    size, unit = next((size, unit) for least, size, unit in _TIMES if seconds >= least)
    return f"{_three_digits(seconds / size)} {unit}"
