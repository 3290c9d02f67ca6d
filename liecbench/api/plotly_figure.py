"""A figure of the report as an object of Plotly, for notebooks."""

from typing import TYPE_CHECKING

from liecbench.report.figures.colours import Palette
from liecbench.report.figures.figure import Figure
from liecbench.report.figures.plotly_traces import plotly_figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as Drawn


def plotly_figure_of(figure: Figure, palette: Palette) -> "Drawn":
    """Return the traces and the layout that the report has for ``figure``.

    If the traces belong to several settings, such as links, only those of the first are visible, and a menu chooses
    another.
    """
    from plotly.graph_objects import Figure as Drawn

    drawn = plotly_figure(figure, palette)
    layout = {**drawn["layout"], "title": {"text": figure.title}}
    settings = list(dict.fromkeys(one for one in drawn["settings"] if one is not None))
    traces = drawn["data"]
    if len(settings) > 1:
        shown = {one: [of in (None, one) for of in drawn["settings"]] for one in settings}
        traces = [{**trace, "visible": visible} for trace, visible in zip(traces, shown[settings[0]], strict=True)]
        buttons = [{"label": one, "method": "restyle", "args": [{"visible": shown[one]}]} for one in settings]
        layout["updatemenus"] = [{"buttons": buttons, "x": 1, "xanchor": "right", "y": 1.15, "yanchor": "bottom"}]
        layout["margin"] = {**layout["margin"], "t": 90}
    return Drawn(data=traces, layout=layout)
