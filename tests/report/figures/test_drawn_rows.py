import json

import pytest

from liecbench.report.figures.all_figures import all_figures
from liecbench.report.figures.colours import Palette
from liecbench.report.figures.drawn_rows import drawn_rows
from liecbench.report.figures.plotly_traces import plotly_figure
from liecbench.results.comparison import Comparison
from tests.ledgers import comparison_of, run_of


def many(settings: int, per_setting: int, epochs: int = 1) -> Comparison:
    """Return a comparison of ddp, the slowest, and psgd with many learning rates, on several links."""
    runs = [
        run_of(
            f"{link} {rate}",
            [{"seconds": 1.0 + rate}] * epochs,
            link=f"{link + 1}mbit",
            algorithm="psgd",
            task={"learning_rate": 1 / (rate + 1)},
        )
        for link in range(settings)
        for rate in range(per_setting - 1)
    ]
    return comparison_of(
        *runs,
        *(run_of(f"ddp {link}", [{"seconds": 99.0}] * epochs, link=f"{link + 1}mbit") for link in range(settings)),
    )


@pytest.mark.parametrize(
    ("settings", "per_setting", "expected"),
    [(1, 24, 24), (20, 10, 200), (1, 25, 24), (2, 30, 48), (20, 20, 200), (100, 4, 198)],
)
def test_a_figure_has_no_more_rows_than_a_screen_can_show(settings: int, per_setting: int, expected: int) -> None:
    comparison = many(settings, per_setting)
    drawn = drawn_rows(comparison.rows, comparison.labels)
    links = {row.fields["link"] for row in drawn}

    assert len(comparison.rows) == settings * per_setting
    assert len(drawn) == expected
    assert drawn == [row for row in comparison.rows if any(row is one for one in drawn)]
    assert {row.fields["link"] for row in drawn if row.is_baseline} == links


def test_a_curve_has_no_more_points_than_a_screen_can_show() -> None:
    comparison = many(1, 2, epochs=1000)
    curves = [figure for figure in all_figures(comparison) if figure.key == "accuracy-epochs"]

    for series in curves[0].series:
        assert len(series.x) == 250
        assert series.x[-1] == 1000.0
        assert {b - a for a, b in zip(series.x, series.x[1:], strict=False)} == {4.0}  # type: ignore[operator]


def test_short_curves_have_every_epoch() -> None:
    (figure,) = [one for one in all_figures(many(1, 2, epochs=300)) if one.key == "loss-epochs"]

    assert [len(series.x) for series in figure.series] == [300, 300]


def test_a_page_of_a_thousand_rows_is_small() -> None:
    comparison = many(40, 25)
    palette = Palette(comparison.labels.colour_keys, comparison.baseline)
    plots = {figure.key: plotly_figure(figure, palette) for figure in all_figures(comparison)}

    assert len(json.dumps(plots)) < 2_000_000
