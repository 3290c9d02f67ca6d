from typing import Any

import pytest

from liecbench.network.link_map import LinkMap
from liecbench.results.bandwidth_needed import BandwidthNeeded, NeededRate, bandwidth_objects, bandwidth_table
from liecbench.results.whose_compute import StepCompute


def needed(low: float | None, high: float | None, basis: Any = "measured") -> NeededRate:
    return NeededRate(utilization=0.5, low_bits_per_second=low, high_bits_per_second=high, basis=basis)


def method(*rates: NeededRate, link: object = "20mbit", **changes: Any) -> BandwidthNeeded:
    fields: dict[str, Any] = {
        "name": "psgd sign",
        "workers": 4,
        "compute": StepCompute(seconds=0.36, source="measured"),
        "highest_utilization": 0.88,
        "limited_by": "compression",
        "num_rates": 2,
    }
    return BandwidthNeeded(link=LinkMap.parse(link), rates=rates, **{**fields, **changes})


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (needed(84e6, 84e6), "84mbit"),
        (needed(80e6, 90e6), "85mbit"),  # √7200 = 84.9
        (needed(91e6, 263e6), "91mbit to 260mbit"),
        (needed(None, 20e6), "at most 20mbit"),
        (needed(1e9, None), "above 1gbit"),
        (needed(3.24e9, 3.24e9, "extrapolated"), "3.2gbit extrapolated"),
        (needed(1e9, 2e9, "estimated"), "1gbit to 2gbit estimated"),
        (needed(41e9, 41e9, "predicted"), "41gbit"),
        (needed(None, None), "not reached"),
    ],
)
def test_a_needed_rate_says_what_is_known_of_it(rate: NeededRate, expected: str) -> None:
    assert method(rate).rate_text(rate) == expected


def test_rates_of_asymmetric_links_have_both_directions() -> None:
    rate = needed(10e6, 10e6)

    assert method(rate, link={"up": "5mbit", "down": "25mbit", "delay": "9ms"}).rate_text(rate) == "10mbit↑ 50mbit↓"


def test_the_table_explains_only_the_words_in_it() -> None:
    five = [needed(84e6, 84e6)] * 3 + [needed(1e9, 2e9, "extrapolated"), needed(None, None)]
    plain = bandwidth_table([method(*[needed(84e6, 84e6)] * 5, highest_utilization=None)])
    table = bandwidth_table([method(*five)])

    assert table.title.endswith(" of each step, for steps that compute 0.36 s, as measured here")
    assert table.headings == ("method", "workers", "50%", "75%", "90%", "95%", "99%", "at most")
    assert table.lines == (
        (
            *("psgd sign", "4", "84mbit", "84mbit", "84mbit", "1gbit to 2gbit extrapolated", "not reached"),
            "88.0% (compression)",
        ),
    )
    assert [note.partition(":")[0] for note in table.notes] == ["extrapolated", "not reached"]
    assert (plain.notes, plain.lines[0][-1]) == ((), "–")


def test_a_sentence_says_that_no_rate_suffices_and_who_comes_closest() -> None:
    none = [needed(None, None)] * 5
    slow = method(*none, highest_utilization=0.1, compute=StepCompute(seconds=2.5, source="replayed"))
    fast = method(*none, highest_utilization=0.42, workers=8, link={"rate": "20mbit", "delay": "5ms"})

    # The compute seconds are those of the closest method alone.
    assert bandwidth_table([slow, fast]).sentence == (
        "no link rate is high enough for computing to take 50% of a step: without rate limit, it takes at most 42.0% "
        "(compression), with psgd sign and 8 workers on links with delay 5ms round trip 20ms, for steps that compute "
        "0.36 s, as measured here"
    )
    assert bandwidth_table([method(*none, name="ddp")]).sentence == (
        "no link rate is high enough for computing to take 50% of a step: without rate limit, it takes at most 88.0% "
        "(compression), with ddp and 4 workers, for steps that compute 0.36 s, as measured here"
    )


def test_tables_and_json_name_the_delay_of_links() -> None:
    rates = [needed(84e6, 84e6)] * 5
    found = [method(*rates), method(*rates, link={"rate": "20mbit", "delay": "5ms"})]
    names = ["psgd sign", "psgd sign · links with delay 5ms round trip 20ms"]

    assert [line[0] for line in bandwidth_table(found).lines] == names
    assert [one["method"] for one in bandwidth_objects(found)] == names


@pytest.mark.parametrize("rate", [needed(84e6, 84e6), needed(None, 20e6), needed(None, None, "unknown")])
def test_no_sentence_takes_the_place_of_a_rate_or_of_an_unknown_one(rate: NeededRate) -> None:
    none = [needed(None, None)] * 4

    assert bandwidth_table([method(*none, needed(None, None)), method(rate, *none)]).sentence is None


def test_json_has_the_bounds_and_the_text() -> None:
    (found,) = bandwidth_objects([method(needed(84e6, 90e6), needed(None, None))])

    assert (found["compute_seconds_per_step"], found["compute_source"]) == (0.36, "measured")
    assert found["rates"] == [
        {
            "utilization": 0.5,
            "low_bits_per_second": 84e6,
            "high_bits_per_second": 90e6,
            "basis": "measured",
            "text": "87mbit",
        },
        {
            "utilization": 0.5,
            "low_bits_per_second": None,
            "high_bits_per_second": None,
            "basis": "not_reached",
            "text": "not reached",
        },
    ]
