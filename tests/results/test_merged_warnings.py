from liecbench.results.merged_warnings import merged_warnings

MISSES = "its link is off by more than 5% of its rate or 10% of its round trip: "


def test_rates_that_links_miss_are_told_once_per_requested_rate() -> None:
    warnings = [
        f"liec: {MISSES}rank 0 up: asked 500mbit, measured 443mbit (-11%); rank 1 down: asked 500mbit, measured 95mbit",
        f"ddp: {MISSES}rank 0 up: asked 500mbit, measured 470mbit (-6%)",
        f"ddp: {MISSES}rank 0 up: asked 1gbit, measured 0.9gbit (-10%)",
        f"ddp: {MISSES}rank 0 up: asked 1gbit, measured 950mbit (-5%)",
        f"ddp: {MISSES}rank 2 round trip to the hub: asked 20ms, measured 31ms (+55%)",
        f"ddp: {MISSES}rank 0 up: asked 1mbit, measured nothing (-100%)",
    ]

    assert merged_warnings(warnings) == [
        "links of 500mbit carried 443mbit to 470mbit",
        "links of 1gbit carried 0.9gbit to 950mbit",
        "links of 1mbit carried nothing",
        "round trips of 20ms to the hub took 31ms",
    ]


def test_misses_beside_others_that_are_left_out_stay_as_they_are() -> None:
    some = f"ddp: {MISSES}rank 0 up: asked 500mbit, measured 470mbit (-6%) and 1 more"

    assert merged_warnings([some]) == [some]


def test_rates_are_no_numbers_and_commas_no_part_of_them() -> None:
    warnings = ["a: steps on 5mbit, rank 3, known to 12%", "b: steps on 100mbit, rank 7, known to 9%"]

    assert merged_warnings(warnings) == warnings
    assert merged_warnings(["a: rank 3, known to 12%", "b: rank 7, known to 9%"]) == [
        "a and b: rank 3–7, known to 9–12%"
    ]


def test_warnings_that_differ_in_numbers_are_one_with_the_ranges() -> None:
    warnings = [
        "liec: its speed-up is known to ±12% only, not to 5%: 16 rounds were timed",
        "powersgd: its speed-up is known to ±9% only, not to 5%: 16 rounds were timed",
        "liec: its speed-up is known to ±1,020% only, not to 5%: 4 rounds were timed",
        "liec: its model's file has changed",
        "no colon",
    ]

    assert merged_warnings(warnings) == [
        "liec and powersgd: its speed-up is known to ±9–1,020% only, not to 5%: 4–16 rounds were timed",
        "liec: its model's file has changed",
        "no colon",
    ]


def test_units_and_names_with_digits_stay_apart() -> None:
    warnings = ["a: late by 3 ms", "b: late by 5 µs", "c: int8 is slow", "d: int4 is slow"]

    assert merged_warnings(warnings) == ["a: late by 3 ms", "b: late by 5 µs", "c: int8 is slow", "d: int4 is slow"]
