import itertools
from dataclasses import replace

import pytest

from liecbench.report.figures.colours import Palette
from liecbench.report.headline import answer_lines, headline
from liecbench.report.page_answers import speed_charts, speed_map
from liecbench.results.records import Record
from tests.ledgers import comparison_of, run_of


def runs(link: str, accuracies: tuple[float, ...], seconds: float = 1.0) -> list[list[Record]]:
    """Return runs of ddp, which takes 4 s an epoch and reaches 90 %, and of liec, one per accuracy."""
    found = []
    for seed, accuracy in enumerate(accuracies):
        found.append(run_of(f"d{link}{seed}", [{"seconds": 4.0, "accuracy": 0.9}], seed=seed, link=link))
        liec = [{"seconds": seconds, "accuracy": accuracy}]
        found.append(run_of(f"l{link}{seed}", liec, algorithm="liec", seed=seed, link=link))
    return found


KEPT, VARYING = (0.9, 0.9, 0.9, 0.9), (0.9, 0.8, 0.95, 0.85)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (KEPT, KEPT, "Use liec on both links"),
        (VARYING, VARYING, "Try liec on both links; whether it keeps the accuracy is not known yet"),
        (
            KEPT,
            VARYING,
            "Use liec on 10mbit; try liec on 1gbit; whether it keeps the accuracy is not known yet",
        ),
        (KEPT[:1], KEPT[:1], "No answer yet on both links"),
    ],
)
def test_the_headline_says_what_to_use_on_which_links(
    first: tuple[float, ...], second: tuple[float, ...], expected: str
) -> None:
    assert headline(comparison_of(*runs("10mbit", first), *runs("1gbit", second))) == expected


def test_slower_methods_do_not_pay() -> None:
    found = comparison_of(*runs("10mbit", KEPT, seconds=8.0), *runs("1gbit", KEPT, seconds=8.0))

    assert headline(found) == "Stay with ddp on both links"


def test_links_with_the_same_answer_share_a_line() -> None:
    found = comparison_of(*runs("10mbit", KEPT), *runs("1gbit", KEPT, seconds=2.0), *runs("none", KEPT, seconds=8.0))
    (used, kept) = answer_lines(found.answers)

    assert used == (
        "On 10mbit and 1gbit",
        "use liec, 2.00× on 1gbit to 4.00× on 10mbit as fast as ddp, and it keeps the accuracy within 0.5 points",
        "+0.0 points, -0.2 to +0.2, after 4 seeds",
    )
    assert (kept[0], kept[1].split(";")[0], kept[2]) == ("Without a rate limit", "stay with ddp", "")
    assert headline(found) == "Use liec on 10mbit and 1gbit; stay with ddp without a rate limit"


def test_an_only_answer_is_the_headline_without_intervals() -> None:
    expected = "On 10mbit: use liec, 4.00× as fast as ddp, and it keeps the accuracy within 0.5 points"

    assert headline(comparison_of(*runs("10mbit", KEPT))) == expected


def test_the_legend_of_a_map_tells_only_what_is_drawn() -> None:
    palette = Palette([], "ddp")
    faster = speed_map(comparison_of(*runs("10mbit", KEPT), *runs("1gbit", KEPT)), palette)
    mixed = speed_map(comparison_of(*runs("10mbit", VARYING), *runs("1gbit", KEPT, seconds=8.0)), palette)

    assert faster is not None
    assert mixed is not None
    numbers = "speed-up: ddp's training time ÷ the method's, for as many samples"
    kept = "kept: accuracy within 0.5 points of ddp's"
    assert faster.legend("ddp", kept) == [numbers, "blue: faster than ddp", "framed: recommended", kept]
    assert mixed.legend("ddp", kept) == [
        numbers,
        "blue: faster than ddp",
        "orange: slower",
        "framed: recommended",
        "“?”: accuracy not known yet",
        "no mark: accuracy within 0.5 points of ddp's",
    ]


def test_a_method_that_probably_loses_accuracy_is_not_marked_like_one_of_which_nothing_is_known() -> None:
    """Six methods lose 3 to 5 points with 3 seeds; adjusted for six comparisons, none is shown to."""
    found = []
    for link, seed in itertools.product(("10mbit", "1gbit"), range(3)):
        found.append(run_of(f"d{link}{seed}", [{"seconds": 4.0, "accuracy": 0.9}], seed=seed, link=link))
        for name in ("liec", "memsgd", "doublesqueeze", "csgd", "ef21", "cser"):
            epochs = [{"seconds": 1.0, "accuracy": (0.87, 0.85, 0.86)[seed]}]
            found.append(run_of(f"{name}{link}{seed}", epochs, algorithm=name, seed=seed, link=link))
    drawn = speed_map(comparison_of(*found), Palette([], "ddp"))

    assert drawn is not None
    cells = {method: cell for method, _, (cell, *_) in drawn.lines if cell is not None}
    assert (cells["liec"].mark, cells["liec"].quality) == ("likely lost", "accuracy likely lost")


def test_the_legend_of_bars_tells_only_what_is_drawn() -> None:
    sharp = next(speed_charts(comparison_of(*runs("10mbit", KEPT)), Palette([], "ddp")))
    one = sharp.bars[0]
    wide = replace(sharp, bars=(replace(one, low=1.0, high=9.0),), longest=8.0)

    numbers = "Speed-up: ddp's training time ÷ the method's, for as many samples."
    assert sharp.legend("ddp") == f"{numbers} The vertical line is ddp's speed, 1×."
    assert wide.legend("ddp") == (
        f"{numbers} The vertical line is ddp's speed, 1×. The thin horizontal lines are 95 % intervals. "
        "One that ends in an arrow reaches beyond the chart; its ends stand in numbers beside it."
    )


def test_a_method_that_was_disturbed_is_not_ranked() -> None:
    one = next(speed_charts(comparison_of(*runs("10mbit", KEPT)), Palette([], "ddp"))).bars[0]
    texts = [replace(one, outcome="not_shown", is_disturbed=disturbed).speed_words for disturbed in (False, True)]

    assert texts == ["not known to differ", "not ranked"]
