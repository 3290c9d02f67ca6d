"""Figures as Plotly draws them: plain JSON values, no drawing here."""

import html
from typing import Any

from liecbench.report.figures.colours import DASHES, MARKERS, PARTS, PATTERNS, REFERENCE, Palette
from liecbench.report.figures.figure import Figure, Interval, Series


def plot(figure: Figure, palette: Palette) -> dict[str, Any]:
    """``{"data": […], "layout": {…}, "settings": […]}``; traces of one setting are shown at a time."""
    traces: list[dict[str, Any]] = []
    settings: list[str | None] = []
    for series in figure.series:
        for trace in _traces(figure, series, palette):
            traces.append(trace)
            settings.append(series.setting)
    if figure.stacked:
        _name_once(traces, settings)
    return {"data": traces, "layout": _layout(figure), "settings": settings}


def _name_once(traces: list[dict[str, Any]], settings: list[str | None]) -> None:
    """In the legend a part of a stack stands once for all of a setting's bars."""
    seen = set()
    for trace, setting in zip(traces, settings, strict=True):
        trace["showlegend"] = (setting, trace["name"]) not in seen
        seen.add((setting, trace["name"]))


def _traces(figure: Figure, series: Series, palette: Palette) -> list[dict[str, Any]]:
    name = html.escape(series.name)
    colour = REFERENCE if series.reference else palette.colour(series.method)
    x = _texts(series.x)
    if series.group is not None:
        x = [_texts([series.group]) * len(x), x]
    common = {"name": name, "legendgroup": name, "x": x, "y": _rounded(series.y)}
    if figure.kind == "bars":
        fill = PARTS[series.variant] if figure.stacked else colour
        marker = {
            "color": fill,
            "pattern": {"shape": "" if figure.stacked else PATTERNS[series.variant % len(PATTERNS)]},
        }
        return [
            {
                **common,
                "type": "bar",
                "marker": marker,
                "hovertemplate": f"{name}<br>%{{x}}: %{{y:{_digits(figure.y_title)}}}<extra></extra>",
            }
        ]
    hover = "%{y:.2%}" if figure.percent else f"%{{y:{_digits(figure.y_title)}}}"
    traced: dict[str, Any] = {
        **common,
        "type": "scatter",
        "mode": _mode(figure, series),
        "line": {
            "color": colour,
            "dash": "dot" if series.reference else DASHES[series.variant % len(DASHES)],
            "width": 2,
        },
        "marker": {"color": colour, "symbol": MARKERS[series.variant % len(MARKERS)], "size": 8, "maxdisplayed": 10},
        "hovertemplate": f"{name}<br>%{{x:{_digits(figure.x_title)}}}: {hover}<extra></extra>",
    }
    if series.reference:
        traced["hoverinfo"], traced["showlegend"] = "skip", figure.kind != "points"
        del traced["hovertemplate"]
    if series.interval is None:
        return [traced]
    if figure.kind == "points":
        high = series.interval[1]
        traced["error_y"] = {"type": "data", "array": [h - y for h, y in zip(high, series.y, strict=True)]}
        return [traced]
    interval = _a_decade_down(series.y, series.interval) if figure.log_y else series.interval
    return [_band(series.x, interval, name, colour), traced]


def _digits(title: str) -> str:
    """Bytes, rates and joules with SI prefixes, seconds and shares without."""
    return ".4s" if title.startswith(("payload bytes", "bits per second", "joules")) else ".4g"


def _mode(figure: Figure, series: Series) -> str:
    if series.reference:
        return "lines"
    return "markers" if figure.kind == "points" else "lines+markers"


def _a_decade_down(y: list[float], interval: Interval) -> Interval:
    """On a log axis an end at 0 or below has no place, and an end near it would leave none for the lines."""
    low, high = interval
    return [max(end, mean / 10) for end, mean in zip(low, y, strict=True)], high


def _band(x: list[float | str], interval: Interval, name: str, colour: str) -> dict[str, Any]:
    """The area between the intervals' ends, drawn forth and back."""
    low, high = interval
    return {
        "type": "scatter",
        "mode": "lines",
        "x": _texts([*x, *reversed(x)]),
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


def _texts(values: list[Any]) -> list[Any]:
    return [html.escape(value) if isinstance(value, str) else _rounded([value])[0] for value in values]


def _rounded(values: list[float]) -> list[float]:
    """To what an eye can see and a hover shows: a page of many cells stays small."""
    return [float(f"{value:.6g}") for value in values]


def _layout(figure: Figure) -> dict[str, Any]:
    layout: dict[str, Any] = {
        "xaxis": _axis(figure.x_title, log=figure.log_x),
        "yaxis": _axis(figure.y_title, log=figure.log_y),
        "margin": {"l": 64, "r": 12, "t": 8, "b": 48},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hovermode": "closest",
        "height": 420,
    }
    if figure.percent:
        layout["yaxis"] = {**layout["yaxis"], "tickformat": ".1~%", "rangemode": "normal"}
    if figure.stacked:
        layout["barmode"] = "stack"
    if figure.x_title == "workers":
        layout["xaxis"]["tickvals"] = sorted(
            {x for series in figure.series for x in series.x if not isinstance(x, str)}
        )
    return layout


def _axis(title: str, *, log: bool) -> dict[str, Any]:
    axis: dict[str, Any] = {"title": {"text": html.escape(title)}, "automargin": True}
    return {**axis, "type": "log", "exponentformat": "SI", "dtick": "D2"} if log else {**axis, "rangemode": "tozero"}
