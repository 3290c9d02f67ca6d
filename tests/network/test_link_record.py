import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from liecbench.network.link_record import LinkRecord

WIDE = {"rate": "1gbit", "delay": "20ms"}
MEASURED = {"up_bits_per_second": 9e7, "down_bits_per_second": 1e8, "round_trip_seconds": 0.001}


def record(**fields: Any) -> LinkRecord:
    return TypeAdapter(LinkRecord).validate_json(json.dumps(fields))


@pytest.mark.parametrize("fields", [{}, {"asked": "none", "measured": None}, {"asked": "100mbit"}])
def test_records_without_a_measurement_miss_nothing(fields: dict[str, Any]) -> None:
    assert record(**fields).deviations() == ()


def test_a_missed_rate_is_described() -> None:
    link = record(asked="100mbit", measured=[MEASURED])

    assert [str(found) for found in link.deviations()] == ["rank 0 up: asked 100mbit, measured 90mbit (-10%)"]


def test_records_of_before_round_trips_are_read() -> None:
    link = record(asked="100mbit", measured=[{"up_bits_per_second": 1e8, "down_bits_per_second": 1.2e8}])

    assert [str(found) for found in link.deviations()] == ["rank 0 down: asked 100mbit, measured 120mbit (+20%)"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"enforcement": "none", "asked": "none"}, None),
        ({"enforcement": "process", "asked": "10mbit"}, None),
        ({"enforcement": "kernel", "asked": "10mbit", "emulator": "delay_line"}, "delay_line"),
        ({"enforcement": "kernel", "asked": "10mbit"}, "tbf"),
        ({"enforcement": "kernel", "asked": {"rate": "10mbit", "delay": "5ms"}}, "netem"),
    ],
)
def test_what_emulated_the_links_is_known_of_earlier_versions_too(fields: dict[str, Any], expected: str | None) -> None:
    assert record(**fields).used_emulator == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"asked": "10 parsecs"},
        {"asked": 3},
        {"enforcement": "will"},
        {"emulator": 1},
        {"measured": [{**MEASURED, "up_bits_per_second": 0}]},
        {"measured": [{**MEASURED, "round_trip_seconds": -1e-3}]},
        {"measured": [{}]},
    ],
    ids=str,
)
def test_what_is_no_link_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        record(**fields)


@pytest.mark.parametrize(
    ("asked", "window", "expected"),
    [
        # A round trip of 80 ms at 1 Gbit/s holds 10,000,000 bytes.
        (WIDE, 10_000_000, None),
        (WIDE, 2**22, "TCP's window of 4MiB keeps one stream below 419.43mbit on its link"),
        ({**WIDE, "rate": "100mbit"}, 2**22, None),
        ("1gbit", 2**22, None),
        # From worker 0 to worker 1, a round trip has two delays of 100 ms.
        ({"rate": "1gbit", "workers": {"1": {"delay": "100ms"}}}, 2**22, "TCP's window of 4MiB keeps one stream below"),
        (WIDE, None, None),
        ("none", 2**22, None),
    ],
)
def test_a_window_below_the_bytes_of_a_round_trip_is_a_warning(
    asked: Any, window: int | None, expected: str | None
) -> None:
    found = record(asked=asked, window_bytes=window).window_limit()

    assert (found is None) == (expected is None)
    assert (found or "").startswith(expected or "")


def test_records_of_earlier_versions_have_no_window() -> None:
    assert record(asked=WIDE).window_limit() is None
    assert record().window_limit() is None
