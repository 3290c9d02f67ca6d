import html
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from liecbench.report.figures.all_figures import all_figures
from liecbench.report.figures.colours import BASELINE, DASHES, MARKERS, PARTS, PATTERNS, REFERENCE, Palette
from liecbench.report.figures.figure import Figure, Series
from liecbench.report.figures.plotly_traces import plotly_figure
from liecbench.results.records import Record
from tests.ledgers import comparison_of, end, epoch, run_of, start

HOSTILE = ("<script>alert(1)</script>", '<a href="https://example.org">', "a & b", "</div>")


def plots(runs: Sequence[list[Record]]) -> dict[str, dict[str, Any]]:
    comparison = comparison_of(*runs)
    palette = Palette([row.algorithm for row in comparison.rows], "ddp")
    return {figure.key: plotly_figure(figure, palette) for figure in all_figures(comparison)}


def plotted(*series: Series, **changes: Any) -> list[dict[str, Any]]:
    fields = {"key": "k", "title": "t", "caption": "c", "x_title": "x", "y_title": "y", "kind": "lines", **changes}
    traces: list[dict[str, Any]] = plotly_figure(Figure(series=list(series), **fields), PALETTE)["data"]
    return traces


PALETTE = Palette(["ddp", "psgd"], "ddp")
PSGD = Series(name="psgd", method="psgd", x=[1.0, 2.0], y=[0.5, 0.7], interval=([0.4, 0.6], [0.6, 0.8]))


def many() -> list[list[Record]]:
    """Return runs with data for every figure: failures, several seeds, and epochs of warm-up alone."""
    runs = [
        run_of(
            f"{a}{w}{link}{seed}", [{"seconds": 1.0 + seed}, {}], algorithm=a, workers=w, link=link, seed=seed, **more
        )
        for a, w, link, seed in itertools.product(("ddp", "psgd", *HOSTILE), (2, 4), ("1mbit", "2mbit"), (0, 1))
        for more in ({"compressor": None if a == "ddp" else {"name": HOSTILE[0]}},)
    ]
    lost: list[Record] = [start("f", seed=2), epoch("f"), end("f", status="diverged", error="not finite")]
    return [*runs, lost, run_of("w", [{"seconds": 0.0, "timed": 0}], algorithm="warm-up"), [start("u", algorithm="u")]]


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def test_every_figure_is_plain_json_without_markup_in_its_names() -> None:
    found = plots(many())
    texts = [text for key, plotted in found.items() for part in ("data", "layout") for text in strings(plotted[part])]
    allowed = ("<br>", "<extra></extra>")  # of hover texts
    stripped = [text.replace(allowed[0], "").replace(allowed[1], "") for text in texts]

    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert [text for text in stripped if "<" in text or ">" in text] == []
    assert {html.escape(name) for name in HOSTILE} <= {trace["name"] for trace in found["accuracy-epochs"]["data"]}
    assert len(found) == 13


def test_every_trace_has_its_setting() -> None:
    assert {key for key, one in plots(many()).items() if len(one["data"]) != len(one["settings"])} == set()


@pytest.mark.parametrize("key", ["epoch-time", "epoch-time-links"])
def test_a_part_of_a_stack_has_one_legend_entry(key: str) -> None:
    found = plots(many())[key]
    entries = [
        (setting, trace["name"])
        for trace, setting in zip(found["data"], found["settings"], strict=True)
        if trace["showlegend"]
    ]
    every = {(setting, trace["name"]) for trace, setting in zip(found["data"], found["settings"], strict=True)}

    assert (len(entries), set(entries)) == (len(every), every)
    assert {trace["name"]: trace["marker"]["color"] for trace in found["data"]} == dict(
        zip(("computing", "compressing", "waiting for the network"), (PARTS[0], PARTS[2], PARTS[4]), strict=True)
    )


def test_a_method_has_one_colour_in_every_figure() -> None:
    colours: dict[str, set[str]] = {}
    for figure in plots([run_of(f"{a}{w}", algorithm=a, workers=w) for a in ("ddp", "psgd") for w in (2, 4)]).values():
        for trace in figure["data"]:
            if trace["name"] in ("ddp", "psgd"):
                colours.setdefault(trace["name"], set()).add(trace["marker"]["color"])

    assert {name: len(found) for name, found in colours.items()} == {"ddp": 1, "psgd": 1}
    assert colours["ddp"] == {BASELINE}


def test_a_line_has_a_band() -> None:
    band, line = plotted(PSGD)

    assert (band["x"], band["y"]) == ([1.0, 2.0, 2.0, 1.0], [0.6, 0.8, 0.6, 0.4])
    assert (line["x"], line["y"], band["showlegend"], band["legendgroup"]) == ([1.0, 2.0], [0.5, 0.7], False, "psgd")


def test_a_band_on_a_log_axis_ends_a_decade_below_its_line() -> None:
    series = Series(name="psgd", method="psgd", x=[1.0, 2.0], y=[5.0, 7.0], interval=([-4.0, 6.0], [14.0, 8.0]))
    band, _ = plotted(series, log_y=True)

    assert band["y"] == [14.0, 8.0, 6.0, 0.5]


def test_points_have_their_interval_as_an_error() -> None:
    series = Series(name="psgd", method="psgd", x=[1.0], y=[0.5], interval=([0.375], [0.625]))
    (point,) = plotted(series, kind="points")

    assert (point["mode"], point["error_y"]["array"]) == ("markers", [0.125])


def test_references_are_dotted_and_grey_and_have_no_hover_text() -> None:
    series = Series(name="front", method="psgd", x=[1.0], y=[1.0], reference=True)
    (trace,) = plotted(series, kind="points")

    assert (trace["line"]["dash"], trace["line"]["color"], trace["hoverinfo"], trace["showlegend"], trace["mode"]) == (
        "dot",
        REFERENCE,
        "skip",
        False,
        "lines",
    )


@pytest.mark.parametrize("variant", range(9))
def test_variants_differ_in_dash_symbol_and_pattern(variant: int) -> None:
    series = Series(name="psgd", method="psgd", x=[1.0], y=[1.0], variant=variant)
    (line,), (bar,) = plotted(series), plotted(series, kind="bars")

    assert (line["line"]["dash"], line["marker"]["symbol"], bar["marker"]["pattern"]["shape"]) == (
        DASHES[variant % 6],
        MARKERS[variant % 8],
        PATTERNS[variant % 6],
    )


def test_bars_of_a_group_have_two_axes_of_categories() -> None:
    series = Series(name="computing", method="computing", x=["<psgd>"], y=[1.0], group="1mbit")
    (bar,) = plotted(series, kind="bars", stacked=True)

    assert bar["x"] == [["1mbit"], ["&lt;psgd&gt;"]]


def test_lines_have_a_few_markers() -> None:
    (trace,) = plotted(Series(name="psgd", method="psgd", x=[*map(float, range(50))], y=[1.0] * 50))

    assert (trace["mode"], trace["marker"]["maxdisplayed"]) == ("lines+markers", 10)


def test_numbers_are_rounded_to_six_digits() -> None:
    (trace,) = plotted(Series(name="psgd", method="psgd", x=[1 / 3], y=[2e9 / 3]))

    assert (trace["x"], trace["y"]) == ([0.333333], [666667000.0])


def test_axes_are_as_the_figure_says() -> None:
    figure = Figure(
        key="k",
        title="t",
        caption="c",
        x_title="x <y>",
        y_title="y",
        kind="lines",
        series=[PSGD],
        log_x=True,
        percent=True,
    )
    layout = plotly_figure(figure, PALETTE)["layout"]

    assert (
        layout["xaxis"]["title"]["text"],
        layout["xaxis"]["type"],
        "type" in layout["yaxis"],
        layout["yaxis"]["tickformat"],
    ) == ("x &lt;y&gt;", "log", False, ".1~%")


def test_a_line_under_another_is_wider_and_shows() -> None:
    same = [Series(name=name, method=name, x=[1.0, 2.0], y=[0.5, 0.7]) for name in ("ddp", "psgd", "liec")]
    other = Series(name="cser", method="cser", x=[1.0, 2.0], y=[0.5, 0.8])
    elsewhere = Series(name="ef21", method="ef21", x=[1.0, 2.0], y=[0.5, 0.7], setting="10mbit")

    assert [trace["line"]["width"] for trace in plotted(*same, other, elsewhere)] == [10, 6, 2, 2, 2]


def test_intervals_of_accuracies_stay_between_0_and_100_percent() -> None:
    series = Series(name="psgd", method="psgd", x=[1.0, 2.0], y=[0.1, 0.9], interval=([-0.5, 0.8], [0.3, 1.4]))
    band, _ = plotted(series, percent=True)

    assert band["y"] == [0.3, 1.0, 0.8, 0.0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.5e7, 3e8], ["10M", "20M", "50M", "100M", "200M", "500M", "1G", "2G", "5G"]),
        ([0.02, 0.09], ["10m", "20m", "50m", "100m", "200m", "500m"]),
        ([1.0, 2e6], ["1", "10", "100", "1k", "10k", "100k", "1M", "10M"]),
        ([0.9, 1.45], ["800m", "900m", "1", "1.1", "1.2", "1.3", "1.4", "1.5"]),
    ],
)
def test_ticks_of_a_log_axis_have_their_decade(values: list[float], expected: list[str]) -> None:
    figure = Figure(
        key="k",
        title="t",
        caption="c",
        x_title="x",
        y_title="y",
        kind="lines",
        series=[Series(name="a", method="a", x=[*values], y=[1.0] * len(values))],
        log_x=True,
    )

    assert plotly_figure(figure, PALETTE)["layout"]["xaxis"]["ticktext"] == expected


def test_many_long_categories_lose_their_middle_unless_they_would_be_equal() -> None:
    names = [f"method {n} with a long name and learning rate {n / 10}" for n in range(9)]
    bars = [Series(name="computing", method="computing", x=[name], y=[1.0]) for name in names]
    alike = [Series(name="c", method="c", x=[f"begins the same {n} and ends the same"], y=[1.0]) for n in range(9)]

    assert plotted(bars[0], kind="bars", stacked=True)[0]["x"] == [
        "method 0 with a<br>long name and<br>learning rate 0.0"
    ]
    assert plotted(*bars, kind="bars", stacked=True)[3]["x"] == ["method 3… rate 0.3"]
    assert plotted(*alike, kind="bars", stacked=True)[3]["x"] == ["begins the same 3<br>and ends the same"]
