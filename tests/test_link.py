import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.link import Link, format_rate, parse_rate

RATES = st.integers(10**6, 32 * 10**9)
UNSHAPED = Link(up_bits_per_second=None, down_bits_per_second=None)
LINKS = st.one_of(
    st.just(UNSHAPED),
    st.builds(Link, up_bits_per_second=RATES, down_bits_per_second=RATES),
    RATES.map(lambda rate: Link(up_bits_per_second=rate, down_bits_per_second=rate)),
)


@given(RATES)
def test_formatted_rates_parse_to_themselves(rate: int) -> None:
    actual = parse_rate(format_rate(rate))

    assert rate == actual


@given(LINKS)
def test_specs_parse_to_the_same_link(link: Link) -> None:
    actual = Link.parse(link.spec())

    assert link == actual


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
    "value",
    [100, 1e6, True, None, [], "", "100", "mbit", "-1mbit", "1e3mbit", "nan mbit", "100 mbps", "1mbit 2mbit", "host"],
)
def test_what_is_no_rate_is_refused_with_an_example(value: object) -> None:
    with pytest.raises(ValueError, match=r"is not a rate; write a rate from 1mbit to 32gbit, such as 20mbit") as raised:
        Link.parse(value)

    assert str(raised.value).startswith(repr(value))


@pytest.mark.parametrize("text", ["0mbit", "999kbit", "0.999999mbit", "32.000000001gbit", "33gbit", "9" * 400 + "mbit"])
def test_rates_that_no_shaper_holds_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="outside what a shaper here can hold; write a rate from 1mbit") as raised:
        parse_rate(text)

    assert str(raised.value).startswith(repr(text))


@pytest.mark.parametrize(
    "value", [{}, {"up": "1mbit"}, {"down": "1mbit"}, {"up": "1mbit", "down": "1mbit", "delay": 3}]
)
def test_a_mapping_needs_both_directions_and_nothing_else(value: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="needs the keys up and down, and no others; write") as raised:
        Link.parse(value)

    assert str(raised.value).startswith(repr(value))


def test_directions_keep_their_own_rates() -> None:
    actual = Link.parse({"up": "10mbit", "down": "100mbit"})

    assert Link(up_bits_per_second=10_000_000, down_bits_per_second=100_000_000) == actual


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("none", ("none", False)),
        ("NONE", ("none", False)),
        ("20mbit", ("20mbit", True)),
        ({"up": "10mbit", "down": "10mbit"}, ("10mbit", True)),
        ({"up": "10mbit", "down": "100mbit"}, ("10mbit↑ 100mbit↓", True)),
    ],
)
def test_links_say_what_they_are(value: object, expected: tuple[str, bool]) -> None:
    link = Link.parse(value)

    assert expected == (str(link), link.shaped)
