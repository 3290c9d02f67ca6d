"""Composed and estimated times say so in the verdict and in figures."""

import dataclasses
from typing import Any

import pytest

from liecbench.report.figures.all_figures import all_figures
from liecbench.results.comparison import Comparison
from liecbench.results.composed_record import Composed, KindTime
from liecbench.results.provenance import provenance, shared_provenance
from liecbench.results.records import Record
from tests import replayed_results
from tests.ledgers import comparison_of, end, epoch, rows_of, run_of, start

KIND = KindTime(steps=22, timed_steps=8, mean_seconds=0.1, half_width_seconds=0.001)


def composed(cell: str, seconds: float, **fields: Any) -> list[Record]:
    trained = epoch(cell, seconds=seconds)
    record = dataclasses.replace(trained, composed=Composed(trajectory="t", kinds={"step": KIND}))
    return [start(cell, timing="composed", **fields), record, end(cell)]


def trained(cell: str, seconds: float, **fields: Any) -> list[Record]:
    return run_of(cell, [{"seconds": seconds}], timing="composed", **fields)


def records() -> list[Record]:
    """Return the records of DDP and LIEC, trained at 100 Mbit/s and composed at 10."""
    return [
        *trained("a", 1.0, link="100mbit"),
        *composed("b", 8.0, link="10mbit"),
        *trained("c", 0.5, algorithm="liec", link="100mbit"),
        *composed("d", 1.0, algorithm="liec", link="10mbit"),
    ]


def comparison() -> Comparison:
    return comparison_of(records())


def test_composed_times_say_so() -> None:
    slow = [row for row in comparison().rows if row.fields["link"] == "10mbit"]
    fast = [row for row in comparison().rows if row.fields["link"] == "100mbit"]

    assert (provenance(slow), provenance(fast)) == (" (composed)", "")
    assert provenance([*fast, *slow]) == " (composed in part)"


def test_times_on_paced_links_are_estimated_and_on_unshaped_ones_are_not() -> None:
    records = [*run_of("a", enforcement="process"), *run_of("b", enforcement="process", link="none")]
    shaped, unshaped = sorted(rows_of(records), key=lambda row: str(row.fields["link"]))

    assert (provenance([shaped]), provenance([unshaped])) == (" (estimated)", "")


def test_the_verdict_says_that_times_are_composed() -> None:
    text = comparison().verdict

    assert list(dict.fromkeys(line.partition(":")[0] for line in text)) == [
        "10mbit (composed)",
        "100mbit",
        "break-even rates (composed in part), for steps that compute 17 ms, as measured here",
        "liec",
    ]


def test_what_all_methods_share_is_told_once_with_the_range_of_dilations() -> None:
    slow = replayed_results.comparison(replayed_results.records(4.0, compute="replayed")).rows
    fast = replayed_results.comparison(replayed_results.records(1.0, compute="replayed")).rows

    assert (provenance(slow), provenance(fast)) == (" (replayed ×4)", " (replayed)")
    assert shared_provenance([slow, fast]) == " (replayed ×1–4)"
    assert shared_provenance([slow, comparison().rows]) == ""


def test_a_method_whose_times_came_about_otherwise_says_so_itself() -> None:
    whole = [trained(f"p{link}", 0.7, algorithm="psgd", link=link) for link in ("100mbit", "10mbit")]
    lines = comparison_of(records(), *whole).verdict

    assert any(line.startswith("liec (composed in part): ") for line in lines)
    assert not any(line.startswith("break-even rates (") for line in lines)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("accuracy-seconds", {"ddp", "liec", "ddp (composed)", "liec (composed)"}),
        ("accuracy-epochs", {"ddp", "liec"}),
        ("rates", {"ddp (composed in part)", "liec (composed in part)"}),
        ("break-even", {"ddp (composed in part)", "liec (composed in part)"}),
    ],
)
def test_legends_say_that_times_are_composed(key: str, expected: set[str]) -> None:
    (figure,) = (figure for figure in all_figures(comparison()) if figure.key == key)

    assert {series.name for series in figure.series} == expected


@pytest.mark.parametrize("key", ["epoch-time", "epoch-time-links"])
def test_bars_say_that_times_are_composed(key: str) -> None:
    (figure,) = (figure for figure in all_figures(comparison()) if figure.key == key)
    slow = [series for series in figure.series if "10mbit" in (series.setting or "", series.group)]

    assert slow
    assert all(series.name.endswith(" (composed)") for series in slow)
