"""Figures for print: SVG and PDF files as wide as a paper's column, drawn with Matplotlib."""

import contextlib
import io
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from liecbench.report.figures.colours import PARTS, PATTERNS, REFERENCE, Palette
from liecbench.report.figures.figure import Figure, Series
from liecbench.untrusted import regular_files
from liecbench.untrusted.plain_text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_COLUMN_INCHES: Final = (3.35, 2.5)
_PAGE_INCHES: Final = (7.0, 3.0)
_LETTER_INCHES: Final = 0.05
_LONGEST_NAME: Final = 150
_LINES: Final = ("-", "--", ":", "-.", (0, (5, 1)), (0, (3, 1, 1, 1)))
_MARKERS: Final = ("o", "s", "D", "P", "^", "X", "*", "p")
_STYLE: Final[Any] = {
    "font.size": 7,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "legend.fontsize": 6,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,  # embed fonts, so that text remains text, as publishers require
    "svg.fonttype": "none",
    "svg.hashsalt": "liecbench",
}


@contextlib.contextmanager
def _without_backend_variable() -> Iterator[None]:
    """Remove MPLBACKEND while the ``with`` body imports Matplotlib.

    Notebooks set it to a backend that may not be installed here, and the import would fail.
    """
    found = os.environ.pop("MPLBACKEND", None)
    try:
        yield
    finally:
        if found is not None:
            os.environ["MPLBACKEND"] = found


def write_vector_files(figures: Sequence[Figure], palette: Palette, directory: Path) -> Iterator[Path]:
    """Write each figure to ``directory`` as SVG and as PDF, and yield the paths of the files.

    A figure that shows several settings, such as several links, has a pair of files for each setting.
    """
    with _without_backend_variable():
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Canvas

    directory.mkdir(parents=True, exist_ok=True)
    for figure in figures:
        names: dict[str, int] = {}
        for setting in dict.fromkeys(series.setting for series in figure.series):
            name = _file_name(figure.key, setting)
            names[name] = names.get(name, 0) + 1
            name = name if names[name] == 1 else f"{name}-{names[name]}"
            shown = [series for series in figure.series if series.setting == setting]
            with rc_context(_STYLE):
                grouped = any(series.group is not None for series in shown)
                canvas = Canvas(figsize=_PAGE_INCHES if grouped else _COLUMN_INCHES, layout="constrained")
                FigureCanvasAgg(canvas)
                _draw(canvas, figure, shown, palette)
                for suffix, metadata in (("svg", {"Date": None}), ("pdf", {"CreationDate": None})):
                    path, content = directory / f"{name}.{suffix}", io.BytesIO()
                    # Without a date, the same results give the same bytes.
                    canvas.savefig(content, format=suffix, metadata=metadata)
                    regular_files.write_bytes(path, content.getvalue())
                    yield path


def _file_name(key: str, setting: str | None) -> str:
    words = re.sub(r"[^A-Za-z0-9.]+", "-", setting or "")[:_LONGEST_NAME].strip("-")
    return "-".join(part for part in (key, words) if part)


def _plain(text: str) -> str:
    """Escape control characters, which XML lacks, and dollar signs, which enclose Matplotlib's formulas."""
    return one_line(text).replace("$", r"\$")


def _draw(canvas: "Canvas", figure: Figure, shown: Sequence[Series], palette: Palette) -> None:
    axes = canvas.subplots()
    if figure.kind == "bars":
        _bars(axes, figure, shown, palette)
    for series in shown if figure.kind != "bars" else ():
        _line(axes, figure, series, palette)
    axes.set_xlabel(_plain(figure.x_title))
    axes.set_ylabel(_plain(figure.y_title))
    if figure.log_x and any(not isinstance(x, str) and x > 0 for series in shown for x in series.x):
        axes.set_xscale("log")
    if figure.log_y and any(y > 0 for series in shown for y in series.y):
        axes.set_yscale("log")
    if figure.percent:
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
    _legend(canvas, axes)


def _legend(canvas: "Canvas", axes: "Axes") -> None:
    """Place the legend above the axes, and make the figure taller to fit the legend and rotated tick labels."""
    _, names = axes.get_legend_handles_labels()
    width, height = canvas.get_size_inches()
    columns = max(1, min(3, int(width / (0.4 + _LETTER_INCHES * max(map(len, names), default=0)))))
    rotated = max((len(tick.get_text()) for tick in axes.get_xticklabels() if tick.get_rotation()), default=0)
    canvas.set_size_inches(width, height + 0.12 * (len(names) // columns) + _LETTER_INCHES * rotated)
    canvas.legend(loc="outside upper center", ncols=columns)


def _line(axes: "Axes", figure: Figure, series: Series, palette: Palette) -> None:
    label = _plain(series.name)
    if series.reference:
        label = "_" if figure.kind == "points" else label
        axes.plot(series.x, series.y, color=REFERENCE, linestyle=":", label=label)
        return
    colour = palette.colour(series.method)
    style = "" if figure.kind == "points" else _LINES[series.variant % len(_LINES)]
    marker = _MARKERS[series.variant % len(_MARKERS)] if figure.kind == "points" or len(series.x) < 8 else ""
    axes.plot(series.x, series.y, color=colour, linestyle=style, marker=marker, label=label)
    if series.interval is None:
        return
    low, high = series.interval
    if figure.kind == "points":
        ends = [[y - end for y, end in zip(series.y, low, strict=True)]]
        ends.append([end - y for y, end in zip(series.y, high, strict=True)])
        axes.errorbar(series.x, series.y, yerr=ends, color=colour, linestyle="", capsize=2, linewidth=0.8)
    else:
        axes.fill_between(series.x, low, high, color=colour, alpha=0.2, linewidth=0)


def _bars(axes: "Axes", figure: Figure, shown: Sequence[Series], palette: Palette) -> None:
    places = list(dict.fromkeys(_place(series, x) for series in shown for x in series.x))
    if figure.stacked:
        _stacked_bars(axes, shown, places)
    else:
        _grouped_bars(axes, shown, palette)
    rotated = max(map(len, places), default=0) * len(places) > 40
    axes.set_xticks(range(len(places)), [*map(_plain, places)], rotation=90 if rotated else 0)


def _stacked_bars(axes: "Axes", shown: Sequence[Series], places: Sequence[str]) -> None:
    bottoms = dict.fromkeys(places, 0.0)
    named = set[str]()
    for part in shown:
        (x,), (y,) = part.x, part.y
        label = "_" if part.name in named else _plain(part.name)  # Matplotlib leaves the label "_" out of the legend
        named.add(part.name)
        place = _place(part, x)
        axes.bar(places.index(place), y, bottom=bottoms[place], color=PARTS[part.variant], label=label)
        bottoms[place] += y


def _grouped_bars(axes: "Axes", shown: Sequence[Series], palette: Palette) -> None:
    width = 0.8 / len(shown)
    for number, series in enumerate(shown):
        offsets = [place - 0.4 + width * (number + 0.5) for place in range(len(series.x))]
        hatch = 3 * PATTERNS[series.variant % len(PATTERNS)]
        colour, label = palette.colour(series.method), _plain(series.name)
        axes.bar(offsets, series.y, width, color=colour, hatch=hatch, label=label)


def _place(series: Series, x: object) -> str:
    return str(x) if series.group is None else f"{series.group} {x}"
