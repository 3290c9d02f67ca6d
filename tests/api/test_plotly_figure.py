from dataclasses import replace

from liecbench.api.plotly_figure import plotly_speed_chart
from liecbench.report.page_answers import SpeedChart, SpeedUp

DDP = SpeedUp(
    method="ddp",
    colour="#777777",
    text="1.00×",
    short="1.00×",
    accuracy=None,
    quality="",
    mark="",
    outcome=None,
    is_baseline=True,
    is_recommended=False,
    mean=1.0,
    low=1.0,
    high=1.0,
)
LIEC = replace(
    DDP,
    method="liec <b>",
    text="3.00× (2.00 to 5.00)",
    accuracy="kept",
    quality="accuracy kept",
    outcome="faster",
    is_baseline=False,
    is_recommended=True,
    mean=3.0,
    low=2.0,
    high=5.0,
)


def test_a_bar_has_its_interval_its_verdict_and_an_escaped_name() -> None:
    drawn = plotly_speed_chart([SpeedChart(setting="", bars=(LIEC, DDP), longest=5.0)], "ddp").to_plotly_json()
    (bars,) = drawn["data"]

    assert list(bars["y"]) == ["liec &lt;b&gt;<br>3.00× (2.00 to 5.00)", "ddp<br>1.00×"]
    assert list(bars["error_x"]["array"]) == [2.0, 0.0]
    assert list(bars["error_x"]["arrayminus"]) == [1.0, 0.0]
    assert list(bars["text"]) == ["faster, accuracy kept, recommended", "baseline"]
    assert "updatemenus" not in drawn["layout"]


def test_a_menu_chooses_among_several_links() -> None:
    charts = [SpeedChart(setting=link, bars=(LIEC, DDP), longest=5.0) for link in ("10mbit", "1gbit")]
    drawn = plotly_speed_chart(charts, "ddp").to_plotly_json()
    (menu,) = drawn["layout"]["updatemenus"]

    assert [trace["visible"] for trace in drawn["data"]] == [True, False]
    assert [button["args"][0]["visible"] for button in menu["buttons"]] == [[True, False], [False, True]]
