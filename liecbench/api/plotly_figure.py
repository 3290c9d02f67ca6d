"""Figures of the report as objects of Plotly, for notebooks."""

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from liecbench.report.figures.colours import Palette
from liecbench.report.figures.figure import Figure
from liecbench.report.figures.plotly_traces import plotly_figure
from liecbench.report.page_answers import SpeedChart, SpeedUp
from liecbench.untrusted.plain_text import one_line

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as Drawn

_BAR_HEIGHT, _AXIS_HEIGHT = 44, 110


def plotly_figure_of(figure: Figure, palette: Palette) -> "Drawn":
    """Return a Plotly figure with the traces and the layout that the report uses for ``figure``."""
    drawn = plotly_figure(figure, palette)
    return _drawn(drawn["data"], drawn["settings"], {**drawn["layout"], "title": {"text": figure.title}})


def plotly_speed_chart(charts: Sequence[SpeedChart], baseline: str) -> "Drawn":
    """Return the report's chart of speed-ups as a Plotly figure: a bar with an interval per method, and a line at 1.

    If there are several settings, a menu selects the setting to show.

    Args:
        charts: The speed-ups of each setting.
        baseline: The baseline in words, such as ``ddp``, for the title.
    """
    line = {"type": "line", "x0": 1, "x1": 1, "yref": "paper", "y0": 0, "y1": 1, "line": {"width": 2, "dash": "dot"}}
    layout = {
        "title": {"text": html.escape(one_line(f"Speed-up over {baseline}"))},
        "xaxis": {"rangemode": "tozero", "ticksuffix": "×"},
        "yaxis": {"autorange": "reversed", "automargin": True},
        "margin": {"l": 12, "r": 12, "t": 48, "b": 48},
        "height": _AXIS_HEIGHT + _BAR_HEIGHT * max(len(chart.bars) for chart in charts),
        "shapes": [line],
    }
    return _drawn([_bars(chart.bars) for chart in charts], [chart.setting or None for chart in charts], layout)


def _bars(bars: Sequence[SpeedUp]) -> dict[str, Any]:
    words = [
        ", ".join(filter(None, (bar.speed_words, bar.quality, "recommended" * bar.is_recommended))) for bar in bars
    ]
    return {
        "type": "bar",
        "orientation": "h",
        "name": "",
        "y": [f"{html.escape(one_line(bar.method))}<br>{bar.text}" for bar in bars],
        "x": [bar.mean for bar in bars],
        "error_x": {
            "type": "data",
            "array": [bar.high - bar.mean for bar in bars],
            "arrayminus": [bar.mean - bar.low for bar in bars],
        },
        "marker": {"color": [bar.colour for bar in bars]},
        "text": words,
        "textposition": "none",
        "hovertemplate": "%{y}<br>%{text}",
        "showlegend": False,
    }


def _drawn(traces: list[dict[str, Any]], settings: Sequence[str | None], layout: dict[str, Any]) -> "Drawn":
    """Return a figure. If the traces have several settings, a menu selects the setting to show, initially the first.

    Args:
        traces: Plotly's traces.
        settings: The setting of each trace, such as its link; None to show it under every setting.
        layout: Plotly's layout.
    """
    from plotly.graph_objects import Figure as Drawn

    names = list(dict.fromkeys(one for one in settings if one is not None))
    if len(names) > 1:
        shown = {name: [of in (None, name) for of in settings] for name in names}
        traces = [{**trace, "visible": visible} for trace, visible in zip(traces, shown[names[0]], strict=True)]
        buttons = [{"label": name, "method": "restyle", "args": [{"visible": shown[name]}]} for name in names]
        layout = {
            **layout,
            "updatemenus": [{"buttons": buttons, "x": 1, "xanchor": "right", "y": 1.15, "yanchor": "bottom"}],
            "margin": {**layout["margin"], "t": 90},
        }
    return Drawn(data=traces, layout=layout)
