"""Figures as Plotly's traces and layouts: plain JSON values, which the page's JavaScript draws."""

import html
import math
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from liecbench.report.figures.colours import DASHES, MARKERS, PARTS, PATTERNS, REFERENCE, Palette
from liecbench.report.figures.figure import Figure, Interval, Series
from liecbench.untrusted.plain_text import one_line

_LINE_WIDTH: Final = 2
_WIDER: Final = 4
_MOST_WIDER: Final = 3
_SHORT_AXIS: Final = 2.5
_CATEGORY_LETTERS: Final = 18
# More categories than these are written upright, where lines of a name would cover each other.
_MOST_WRAPPED: Final = 8
_SI_PREFIXES: Final = {-3: "n", -2: "µ", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T", 5: "P"}


def plotly_figure(figure: Figure, palette: Palette) -> dict[str, Any]:
    """Return ``{"data": […], "layout": {…}, "settings": […]}``, with Plotly's traces in ``"data"``.

    ``"settings"`` has one item per trace: the name of the trace's setting, such as ``workers 4 · 20mbit``. The page
    shows the trace only under this setting. If the item is None, the page shows the trace under every setting.
    """
    figure = _with_short_categories(figure)
    traces: list[dict[str, Any]] = []
    settings: list[str | None] = []
    for series, width in zip(figure.series, _line_widths(figure.series), strict=True):
        for trace in _traces(figure, series, palette):
            if "line" in trace and trace["line"].get("width"):
                trace["line"]["width"] = width
            traces.append(trace)
            settings.append(series.setting)
    if figure.stacked:
        _show_once_in_legend(traces, settings)
    return {"data": traces, "layout": _layout(figure), "settings": settings}


def _with_short_categories(figure: Figure) -> Figure:
    """Return the figure with long category names shortened in the middle, if there are many categories.

    If two names would become equal, return the figure unchanged.
    """
    names = {x for series in figure.series for x in series.x if isinstance(x, str)}
    short = {name: _without_middle(name) for name in names}
    if len(names) <= _MOST_WRAPPED or len(set(short.values())) < len(names):
        return figure
    shown = [replace(series, x=[short[x] if isinstance(x, str) else x for x in series.x]) for series in figure.series]
    return replace(figure, series=shown)


def _without_middle(text: str) -> str:
    half = _CATEGORY_LETTERS // 2
    return text if len(text) <= 2 * half else f"{text[: half - 1]}…{text[-half:]}"


def _line_widths(every: Sequence[Series]) -> list[float]:
    """Return the width of each line. A line that later lines cover exactly is wider, so that its edges show."""
    found: dict[tuple[object, ...], int] = {}
    widths: list[float] = []
    for series in reversed(every):
        place = (series.setting, tuple(series.x), tuple(_rounded(series.y)))
        widths.append(_LINE_WIDTH + _WIDER * min(found.get(place, 0), _MOST_WIDER))
        found[place] = found.get(place, 0) + 1
    return widths[::-1]


def _plain(text: str) -> str:
    """Escape tags, which Plotly would interpret, and control characters."""
    return html.escape(one_line(text))


def _show_once_in_legend(traces: list[dict[str, Any]], settings: list[str | None]) -> None:
    seen = set()
    for trace, setting in zip(traces, settings, strict=True):
        trace["showlegend"] = (setting, trace["name"]) not in seen
        seen.add((setting, trace["name"]))


def _traces(figure: Figure, series: Series, palette: Palette) -> list[dict[str, Any]]:
    colour = REFERENCE if series.reference else palette.colour(series.method)
    if figure.kind == "bars":
        return [_bar(figure, series, colour)]
    trace = _line(figure, series, colour)
    if series.interval is None:
        return [trace]
    if figure.kind == "points":
        high = series.interval[1]
        trace["error_y"] = {"type": "data", "array": [h - y for h, y in zip(high, series.y, strict=True)]}
        return [trace]
    interval = _above_a_tenth(series.y, series.interval) if figure.log_y else series.interval
    if figure.percent:
        interval = [max(0.0, low) for low in interval[0]], [min(1.0, high) for high in interval[1]]
    return [_band(series.x, interval, _plain(series.name), colour), trace]


def _common(series: Series) -> dict[str, Any]:
    name, x = _plain(series.name), _axis_values(series.x)
    if series.group is not None:
        x = [_axis_values([series.group]) * len(x), x]
    return {"name": name, "legendgroup": name, "x": x, "y": _rounded(series.y)}


def _bar(figure: Figure, series: Series, colour: str) -> dict[str, Any]:
    common = _common(series)
    pattern = "" if figure.stacked else PATTERNS[series.variant % len(PATTERNS)]
    return {
        **common,
        "type": "bar",
        "marker": {"color": PARTS[series.variant] if figure.stacked else colour, "pattern": {"shape": pattern}},
        "hovertemplate": f"{common['name']}<br>%{{x}}: %{{y:{_digits(si=figure.si_y)}}}<extra></extra>",
    }


def _line(figure: Figure, series: Series, colour: str) -> dict[str, Any]:
    common = _common(series)
    dash = "dot" if series.reference else DASHES[series.variant % len(DASHES)]
    symbol = MARKERS[series.variant % len(MARKERS)]
    trace: dict[str, Any] = {
        **common,
        "type": "scatter",
        "mode": _mode(figure, series),
        "line": {"color": colour, "dash": dash, "width": _LINE_WIDTH},
        "marker": {"color": colour, "symbol": symbol, "size": 8, "maxdisplayed": 10},
    }
    if series.reference:
        return {**trace, "hoverinfo": "skip", "showlegend": figure.kind != "points"}
    y = "%{y:.2%}" if figure.percent else f"%{{y:{_digits(si=figure.si_y)}}}"
    x = f"%{{x:{_digits(si=figure.si_x)}}}"
    return {**trace, "hovertemplate": f"{common['name']}<br>{x}: {y}<extra></extra>"}


def _digits(*, si: bool) -> str:
    return ".4s" if si else ".4g"


def _mode(figure: Figure, series: Series) -> str:
    if series.reference:
        return "lines"
    return "markers" if figure.kind == "points" else "lines+markers"


def _above_a_tenth(y: list[float], interval: Interval) -> Interval:
    """Return ``interval`` with each lower end raised to at least a tenth of the corresponding mean in ``y``.

    For a logarithmic axis: an interval that reaches close to 0 would make the axis so long that all curves look flat.
    """
    low, high = interval
    return [max(end, mean / 10) for end, mean in zip(low, y, strict=True)], high


def _band(x: list[float | str], interval: Interval, name: str, colour: str) -> dict[str, Any]:
    """Return a filled trace: its outline runs along the upper ends of the intervals, then back along the lower ends.

    Args:
        x: The values on the horizontal axis.
        interval: The lower ends and the upper ends.
        name: The name of the curve to which the band belongs.
        colour: The fill colour.
    """
    low, high = interval
    return {
        "type": "scatter",
        "mode": "lines",
        "x": _axis_values([*x, *reversed(x)]),
        "y": _rounded([*high, *reversed(low)]),
        "fill": "toself",
        "fillcolor": colour,
        "opacity": 0.2,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": name,
        "name": name,
    }


def _axis_values(values: list[Any]) -> list[Any]:
    return [_wrapped(value) if isinstance(value, str) else _rounded([value])[0] for value in values]


def _wrapped(text: str) -> str:
    """Break the name of a category into several lines of HTML, so that long names leave room for the bars."""
    return "<br>".join(map(html.escape, textwrap.wrap(one_line(text), _CATEGORY_LETTERS))) or "–"


def _rounded(values: list[float]) -> list[float]:
    """Return the values rounded to six significant digits, so that a page about many cells stays small."""
    return [float(f"{value:.6g}") for value in values]


def _layout(figure: Figure) -> dict[str, Any]:
    layout: dict[str, Any] = {
        "xaxis": _axis(figure.x_title, [x for series in figure.series for x in series.x], log=figure.log_x),
        "yaxis": _axis(figure.y_title, [y for series in figure.series for y in series.y], log=figure.log_y),
        "margin": {"l": 64, "r": 12, "t": 8, "b": 48},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hovermode": "closest",
        "height": 420,
    }
    if figure.percent:
        layout["yaxis"] = {**layout["yaxis"], "tickformat": ".1~%", "rangemode": "normal"}
    if figure.stacked:
        layout["barmode"] = "stack"
    if figure.ticks_at_values:
        ticks = sorted({x for series in figure.series for x in series.x if not isinstance(x, str)})
        layout["xaxis"] |= {"tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}
    return layout


def _axis(title: str, values: Sequence[float | str], *, log: bool) -> dict[str, Any]:
    axis: dict[str, Any] = {"title": {"text": _plain(title)}, "automargin": True}
    if not log:
        return {**axis, "rangemode": "tozero"}
    ticks = _log_ticks([value for value in values if not isinstance(value, str) and value > 0])
    return {**axis, "type": "log", "tickvals": ticks, "ticktext": [_si_text(tick) for tick in ticks]}


def _log_ticks(values: Sequence[float]) -> list[float]:
    """Return the ticks of a logarithmic axis that shows ``values``, which are positive.

    The ticks are equally spaced if the largest value is less than 2.5 times the smallest. Otherwise, the ticks are 1, 2
    and 5 times the powers of ten on an axis of at most three decades, and only the powers of ten on a longer axis.
    """
    if not values:
        return []
    low, high = min(values), max(values)
    if high < _SHORT_AXIS * low:  # too few of the others would be on it
        step = 10 ** math.floor(math.log10(max(high - low, 0.05 * low)))
        numbers = range(max(1, math.ceil(low / step) - 1), math.floor(high / step) + 2)
        return [float(f"{step * number:.6g}") for number in numbers]
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first < 4 else (1,)
    return [float(f"{factor}e{power}") for power in range(first, last + 1) for factor in factors]


def _si_text(value: float) -> str:
    """Return the label of the tick at ``value``: the number with an SI prefix, such as ``20M`` or ``50m``."""
    power = math.floor(math.log10(value) / 3 + 1e-9)
    prefix = _SI_PREFIXES.get(power)
    return f"{value:g}" if prefix is None else f"{value / 1000.0**power:g}{prefix}"
