import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.network.quantity import DELAY, LOSS, RATE, SIZE, Quantity, format_loss, format_rate
from liecbench.network.quantity_text import parse_delay, parse_loss, parse_rate, parse_size

RATES = st.integers(10**6, 32 * 10**9)
MICROSECONDS = st.integers(0, 10**7)


def plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def spellings(number: Decimal, units: list[str]) -> list[str]:
    return [f"{padding}{plain(number)}{space}{unit}" for unit in units for padding, space in (("", ""), (" ", " "))]


@given(RATES)
def test_every_spelling_of_a_rate_has_the_same_bits_per_second(rate: int) -> None:
    texts = [
        *spellings(Decimal(rate), ["bit", "bits", "bps", "b/s", "bit/s", "BIT/S"]),
        *spellings(Decimal(rate) / 10**3, ["kbit", "Kbit", "kbps", "Kbit/s", "kb/s"]),
        *spellings(Decimal(rate) / 10**6, ["mbit", "Mbit", "MBIT", "Mbits", "Mbps", "mbps", "Mb/s", "Mb/sec"]),
        *spellings(Decimal(rate) / 10**6, ["Mbit/s", "Mbit / s", "Mbits/sec", "mbit/second", "MBIT/S"]),
        *spellings(Decimal(rate) / 10**9, ["gbit", "Gbit/s", "Gbps", "Gb/s"]),
        *spellings(Decimal(rate) / 10**12, ["Tbit/s", "tbps"]),
        *spellings(Decimal(rate) / 2**20, ["Mibit/s", "mibit"]),
        *spellings(Decimal(rate) / 8, ["B/s", "byte/s", "Bytes/sec"]),
        *spellings(Decimal(rate) / 8 / 10**3, ["kB/s", "KBps"]),
        *spellings(Decimal(rate) / 8 / 10**6, ["MB/s", "MBps", "MBytes/sec", "mbyte/s", "MByte/S"]),
        *spellings(Decimal(rate) / 8 / 10**9, ["GB/s"]),
        *spellings(Decimal(rate) / 8 / 2**20, ["MiB/s", "MiBps"]),
        format_rate(rate),
    ]

    assert {rate} == {parse_rate(text) for text in texts}


@given(MICROSECONDS)
def test_every_spelling_of_a_delay_has_the_same_seconds(microseconds: int) -> None:
    texts = [
        *spellings(Decimal(microseconds), ["us", "US", "usec", "µs", "μs", "microseconds"]),
        *spellings(Decimal(microseconds) / 10**3, ["ms", "MS", "msec", "msecs", "millisecond", "milliseconds"]),
        *spellings(Decimal(microseconds) / 10**6, ["s", "sec", "S", "second", "seconds"]),
        DELAY.format(microseconds / 1e6),
    ]

    assert {microseconds / 10**6} == {parse_delay(text) for text in texts}


@given(st.integers(0, 5 * 10**7))
def test_every_spelling_of_a_loss_has_the_same_fraction(share: int) -> None:
    loss = round(share / 1e8, 8)
    texts = [*spellings(Decimal(share) / 10**6, ["%", "percent"]), format_loss(loss)]

    assert {loss} == {parse_loss(text) for text in texts}


@given(st.integers(1, 2**40))
def test_every_spelling_of_a_size_has_the_same_bytes(size: int) -> None:
    texts = [
        *spellings(Decimal(size), ["B", "bytes", "byte"]),
        *spellings(Decimal(size) / 10**3, ["kB", "KB"]),
        *spellings(Decimal(size) / 10**6, ["MB", "Mbytes"]),
        *spellings(Decimal(size) / 2**10, ["KiB", "kiB"]),
        *spellings(Decimal(size) / 2**20, ["MiB"]),
        size,
    ]

    assert {size} == {parse_size(text) for text in texts}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1mbit", 1_000_000),
        ("1.5mbit", 1_500_000),
        (".5gbit", 500_000_000),
        ("2500kbit", 2_500_000),
        ("32gbit", 32_000_000_000),
        (" 3 MBit ", 3_000_000),
        ("100Mbps", 100_000_000),
        ("100 Mbit/s", 100_000_000),
        ("10Gb/s", 10_000_000_000),
        ("12.5MB/s", 100_000_000),
        ("10MiB/s", 83_886_080),
    ],
)
def test_rates_are_bits_per_second(text: str, expected: int) -> None:
    actual = parse_rate(text)

    assert expected == actual


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (20_000_000, "20mbit"),
        (1_500_000, "1.5mbit"),
        (10**9, "1gbit"),
        (2_500_000_000, "2.5gbit"),
        (1_000_001, "1.000001mbit"),
    ],
)
def test_rates_are_written_in_their_largest_unit(rate: int, expected: str) -> None:
    actual = format_rate(rate)

    assert expected == actual


# ``b`` and ``B`` differ by a factor of 8, and what MBPS means nobody knows. ``100M`` has no unit.
@pytest.mark.parametrize("text", ["", "mbit", "5", "-5mbit", "5%mbit", "1.mbit", "1_0mbit", "1e3mbit", "٣mbit"])
@pytest.mark.parametrize("quantity", [RATE, DELAY, LOSS, SIZE], ids=["rate", "delay", "loss", "size"])
def test_other_texts_are_no_quantity(text: str, quantity: Quantity) -> None:
    assert quantity.parse(text) is None


@pytest.mark.parametrize("text", ["1MBPS", "1MB/S", "1M", "1Mb", "1MB", "1mbit/min", "1 bit per second", "1mbitps"])
def test_rates_that_may_mean_several_things_are_none(text: str) -> None:
    assert RATE.parse(text) is None


@given(RATES)
def test_the_pattern_of_a_quantity_matches_what_parses(rate: int) -> None:
    assert re.search(RATE.pattern, format_rate(rate))
    assert not re.search(RATE.pattern, f"{rate}")
