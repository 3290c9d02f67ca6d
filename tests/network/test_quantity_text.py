from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.network.quantity_text import parse_delay, parse_loss, parse_rate, parse_size


def refusal(parse: Callable[[object], object], value: object) -> str:
    with pytest.raises(ValueError, match=r".") as raised:
        parse(value)
    text = str(raised.value)
    assert text.startswith(repr(value))
    return text.removeprefix(repr(value)).partition("; ")[2]


# ``write R`` names the rate that the text states, where the text states one.
@given(st.integers(2, 31))
def test_a_number_without_a_rates_unit_names_the_nearest_rate(number: int) -> None:
    megabits = [number, f"{number}", f"{number}M", f"{number}Mb", f"{number} megabits per second", f"{number},0mbit"]
    megabits += [number * 10**6, float(number * 10**6), f"{number}e6", f"{number}000_000", f"{number}e0mbit"]
    gigabits = [f"{number}G", f"{number}GbE", f"{number} gig", number * 10**9, f"{number},000mbit", f"{number} 000Mbps"]

    assert {f"write {number}mbit"} == {refusal(parse_rate, value) for value in megabits}
    assert {f"write {number}gbit"} == {refusal(parse_rate, value) for value in gigabits}


REFUSED: dict[Callable[[object], object], list[tuple[object, str]]] = {
    parse_rate: [
        (1e8, "write 100mbit"),
        ("1,5mbit", "write 1.5mbit"),
        ("100MBPS", "write 100MB/s for bytes, or 100mbit for bits"),
        ("100MB", "write 100MB/s for bytes, or 100mbit for bits"),
        ("999kbit", "write at least 1mbit"),
        ("0.999999mbit", "write at least 1mbit"),
        ("0mbit", "write at least 1mbit"),
        ("32.000000001gbit", "write at most 32gbit"),
        ("1Tbit/s", "write at most 32gbit"),
        ("9" * 400 + "mbit", "write at most 32gbit"),
        ("fast", "write one such as 100mbit"),
        ("20ms", "write one such as 100mbit"),
        ("-1mbit", "write one such as 100mbit"),
        (10**30, "write one such as 100mbit"),
        (10**400, "write one such as 100mbit"),
        (True, "write one such as 100mbit"),
        (None, "write one such as 100mbit"),
    ],
    parse_delay: [
        (20, "write 20ms"),
        ("20", "write 20ms"),
        (0.02, "write 20ms"),
        (0, "write 0ms"),
        ("0,5ms", "write 500us"),
        ("500ns", "write 1us"),
        ("1e-2s", "write one such as 20ms"),
        ("-1ms", "write one such as 20ms"),
        ("ms", "write one such as 20ms"),
        ("20mbit", "write one such as 20ms"),
        (None, "write one such as 20ms"),
        (True, "write one such as 20ms"),
        ("10.000001s", "write at most 10s"),
        ("1h", "write at most 10s"),
        ("2 minutes", "write at most 10s"),
        (10**9, "write one such as 20ms"),
        ("0.4us", "write at least 1us, or 0ms for no delay"),
        ("0.0000009s", "write at least 1us, or 0ms for no delay"),
    ],
    parse_loss: [
        (0.001, "write 0.1%"),
        ("0.001", "write 0.1%"),
        (1, "write 1%"),
        (0, "write 0%"),
        ("0,1%", "write 0.1%"),
        ("1‰", "write 0.1%"),
        ("60%", "write at most 50%"),
        ("50.000001%", "write at most 50%"),
        (60, "write percent of the frames, such as 0.1%"),
        ("-1%", "write percent of the frames, such as 0.1%"),
        ("%", "write percent of the frames, such as 0.1%"),
        (None, "write percent of the frames, such as 0.1%"),
        ("0.0000004%", "write at least 0.000001%, or 0% for no loss"),
    ],
    parse_size: [
        (1e6, "write 1000000"),
        ("25M", "write 25MB"),
        ("25mb", "write 25MB"),
        ("25mib", "write 25MiB"),
        ("1_000", "write 1000"),
        ("1.5B", "write one such as 25MiB"),
        ("25MB/s", "write one such as 25MiB"),
        ("big", "write one such as 25MiB"),
        (True, "write one such as 25MiB"),
        (2.5, "write one such as 25MiB"),
        ("1e999", "write one such as 25MiB"),
        ("1e999MiB", "write one such as 25MiB"),
        ("9" * 400 + "B", "write one such as 25MiB"),
    ],
}


@pytest.mark.parametrize(
    ("parse", "value", "remedy"), [(parse, *row) for parse, rows in REFUSED.items() for row in rows]
)
def test_a_refused_quantity_names_what_to_write(parse: Callable[[object], object], value: object, remedy: str) -> None:
    assert remedy == refusal(parse, value)


def test_the_least_delay_and_loss_are_read() -> None:
    assert (parse_delay("1us"), parse_loss("0.000001%")) == (1e-6, 1e-8)
    assert (parse_delay("0us"), parse_loss("0.0%")) == (0, 0)
