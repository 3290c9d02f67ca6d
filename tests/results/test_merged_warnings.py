from liecbench.network.deviation import Deviation
from liecbench.results.merged_warnings import merged_deviations, merged_warnings


def missed_rate(asked: float, measured: float) -> Deviation:
    return Deviation(rank=0, of="up", asked=asked, measured=measured)


def test_rates_that_links_miss_are_told_once_per_requested_rate() -> None:
    found = [
        missed_rate(5e8, 4.43e8),
        Deviation(rank=1, of="down", asked=5e8, measured=0.95e8),
        missed_rate(5e8, 4.7e8),
        missed_rate(1e9, 0.9e9),
        missed_rate(1e9, 0.95e9),
        missed_rate(1e6, 0.5e6),
        Deviation(rank=2, of="round trip", asked=0.02, measured=0.031),
    ]

    assert merged_deviations(found) == [
        "links of 500mbit carried 95mbit to 470mbit",
        "links of 1gbit carried 900mbit to 950mbit",
        "links of 1mbit carried 500kbit",
        "round trips of 20ms to the hub took 31ms",
    ]


def test_rates_are_no_numbers_and_commas_no_part_of_them() -> None:
    warnings = ["a: steps on 5mbit, rank 3, known to 12%", "b: steps on 100mbit, rank 7, known to 9%"]

    assert merged_warnings(warnings) == warnings
    assert merged_warnings(["a: rank 3, known to 12%", "b: rank 7, known to 9%"]) == [
        "a and b: rank 3–7, known to 9–12%"
    ]


def test_warnings_that_differ_in_numbers_are_one_with_the_ranges() -> None:
    warnings = [
        "liec: its speed-up is uncertain by ±12% of its value, and ±5% were asked for, after 16 rounds",
        "powersgd: its speed-up is uncertain by ±9% of its value, and ±5% were asked for, after 16 rounds",
        "liec: its speed-up is uncertain by ±1,020% of its value, and ±5% were asked for, after 4 rounds",
        "liec: its model's file has changed",
        "no colon",
    ]

    assert merged_warnings(warnings) == [
        "liec and powersgd: their speed-ups are uncertain by ±9–1,020% of their values, and ±5% were asked for, after "
        "4–16 rounds",
        "liec: its model's file has changed",
        "no colon",
    ]


def test_one_method_stays_one_and_several_are_many() -> None:
    texts = {
        "its speed-up is uncertain by ±9% of its value (8 rounds)": "their speed-ups are uncertain by ±9% of their "
        "values (8 rounds)",
        "timed apart: its speed-up contains what changed": "timed apart: their speed-ups contain what changed",
        "its 22 steps are few; its speed-up and bytes÷ allow for this": "their 22 steps are few; their speed-ups and "
        "bytes÷ allow for this",
        "3 of its 4 ranks, by bits": "3 of their 4 ranks, by bits",
    }

    assert merged_warnings([f"liec: {text}" for text in texts]) == [f"liec: {text}" for text in texts]
    assert merged_warnings([f"{name}: {text}" for text in texts for name in ("liec", "ddp_bf16")]) == [
        f"liec and ddp_bf16: {text}" for text in texts.values()
    ]


def test_units_and_names_with_digits_stay_apart() -> None:
    warnings = ["a: late by 3 ms", "b: late by 5 µs", "c: int8 is slow", "d: int4 is slow"]

    assert merged_warnings(warnings) == ["a: late by 3 ms", "b: late by 5 µs", "c: int8 is slow", "d: int4 is slow"]
