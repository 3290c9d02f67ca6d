import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.network.quantity import LOSS, RATE, format_loss, format_rate, parse_delay, parse_loss, parse_rate

RATES = st.integers(10**6, 32 * 10**9)


@given(RATES)
def test_formatted_rates_parse_to_themselves(rate: int) -> None:
    actual = parse_rate(format_rate(rate))

    assert rate == actual


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1mbit", 1_000_000),
        ("20mbit", 20_000_000),
        ("1.5mbit", 1_500_000),
        ("2500kbit", 2_500_000),
        ("32gbit", 32_000_000_000),
        ("0.001gbit", 1_000_000),
        (" 3 MBit ", 3_000_000),
    ],
)
def test_rates_are_decimal_bits_per_second(text: str, expected: int) -> None:
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


@pytest.mark.parametrize(
    ("text", "expected"), [("20ms", 0.02), ("500us", 0.0005), ("1.5s", 1.5), ("0ms", 0.0), (" 3 MS ", 0.003)]
)
def test_delays_are_seconds(text: str, expected: float) -> None:
    actual = parse_delay(text)

    assert expected == actual


@pytest.mark.parametrize("text", ["0mbit", "999kbit", "0.999999mbit", "32.000000001gbit", "33gbit", "9" * 400 + "mbit"])
def test_rates_that_no_shaper_holds_are_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match="outside the rates that links can be shaped to; write a rate from 1mbit"
    ) as raised:
        parse_rate(text)

    assert str(raised.value).startswith(repr(text))


@given(st.integers(0, 5 * 10**7).map(lambda share: round(share / 1e8, 8)))
def test_formatted_losses_parse_to_themselves(loss: float) -> None:
    assert parse_loss(format_loss(loss)) == loss


@pytest.mark.parametrize(
    "text", ["", "mbit", "5", "-5mbit", "5 mbit/s", "5%mbit", "mbit5", "1.mbit", "1_0mbit", "٣mbit"]
)
def test_other_texts_are_no_quantity(text: str) -> None:
    assert RATE.parse(text) is None


def test_the_pattern_of_a_quantity() -> None:
    assert LOSS.pattern == r"^\s*([0-9]+(?:\.[0-9]+)?)\s*(%)\s*$"
