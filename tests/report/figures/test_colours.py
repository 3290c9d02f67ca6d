import re

from hypothesis import given
from hypothesis import strategies as st

from liecbench.report.figures.colours import BASELINE, DASHES, MARKERS, PARTS, PATTERNS, REFERENCE, Palette

METHODS = [f"method{number}" for number in range(12)]


def test_twelve_methods_and_the_baseline_have_colours_of_their_own() -> None:
    palette = Palette(["ddp", *METHODS], "ddp")
    colours = {palette.colour(method) for method in ["ddp", *METHODS]}

    assert (len(colours), [c for c in colours if not re.fullmatch("#[0-9A-F]{6}", c)]) == (13, [])


@given(st.permutations(["ddp", *METHODS]))
def test_the_baseline_is_grey_in_any_order(order: list[str]) -> None:
    palette = Palette(order, "ddp")
    others = [palette.colour(method) for method in order if method != "ddp"]

    assert (palette.colour("ddp"), BASELINE in others, REFERENCE in others) == (BASELINE, False, False)


@given(st.lists(st.sampled_from(["ddp", *METHODS]), min_size=1))
def test_a_method_of_many_rows_has_one_colour(rows: list[str]) -> None:
    once = list(dict.fromkeys(rows))
    many, few = Palette(rows, "ddp"), Palette(once, "ddp")

    assert [many.colour(method) for method in once] == [few.colour(method) for method in once]


def test_the_thirteenth_has_a_colour_too() -> None:
    palette = Palette([*METHODS, "last"], "ddp")

    assert palette.colour("last") == palette.colour("method0")


def test_another_name_has_the_colour_of_references() -> None:
    assert Palette(METHODS, "ddp").colour("") == REFERENCE


def test_styles_are_distinct() -> None:
    for styles in (PARTS, MARKERS, DASHES, PATTERNS):
        assert len(set(styles)) == len(styles)
