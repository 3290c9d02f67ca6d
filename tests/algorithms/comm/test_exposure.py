import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.algorithms.comm.exposure import ExposureMeter, ExposureTotals, LinkRates, covered_seconds


def test_a_window_is_divided_by_the_work_in_it() -> None:
    meter = ExposureMeter()
    meter.add_span("compress", 0.0, 3.0)
    meter.add_span("communicate", 3.0, 6.0)
    meter.add_span("compress", 5.0, 7.0)
    meter.add_span("communicate", 9.0, 12.0)

    meter.add_window(2.0, 10.0)

    # Compression from 2 to 3 and from 5 to 7; communication alone from 3 to 5 and from 9 to 10.
    assert meter.totals == ExposureTotals(compress_seconds=3.0, communicate_seconds=3.0)


def test_a_span_may_reach_into_the_next_window() -> None:
    meter = ExposureMeter()
    meter.add_span("communicate", 1.0, 8.0)

    meter.add_window(0.0, 2.0)
    meter.add_window(4.0, 5.0)

    assert meter.totals.communicate_seconds == 2.0


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=6), st.integers(0, 20), st.integers(0, 20))
def test_covered_seconds_are_counted_once(spans: list[tuple[int, int]], begin: int, end: int) -> None:
    ordered = [(min(span), max(span)) for span in spans]
    seconds = {second for start, stop in ordered for second in range(start, stop)} & set(range(begin, end))

    assert covered_seconds(begin, end, ordered) == len(seconds)


@pytest.mark.parametrize(
    ("sent", "received", "expected"),
    [
        # Two segments up, each with 66 bytes of headers.
        (2896, 0, 8 * (2896 + 2 * 66) / 1e6),
        # One segment each way: one of 1448 + 66 bytes, and half of an acknowledgement; the slower direction counts.
        (1448, 1448, 8 * (1448 + 66 + 33) / 1e6),
        # Up 100 bytes and 66 of headers and 10 half acknowledgements; down ten segments at twice the rate.
        (100, 14480, 8 * (14480 + 660 + 33) / 2e6),
    ],
)
def test_a_link_needs_its_bytes_over_its_rate(sent: int, received: int, expected: float) -> None:
    meter = ExposureMeter()
    meter.add_messages(sent, received)
    meter.rates = LinkRates(up_bits_per_second=1e6, down_bits_per_second=2e6)
    meter.add_messages(sent, received)

    assert meter.totals.link_seconds == pytest.approx(expected)


def test_totals_count_from_earlier_ones() -> None:
    before = ExposureTotals(compress_seconds=1.0, communicate_seconds=2.0, link_seconds=3.0)
    now = ExposureTotals(compress_seconds=5.0, communicate_seconds=7.0, link_seconds=9.0)

    assert now.since(before) == ExposureTotals(compress_seconds=4.0, communicate_seconds=5.0, link_seconds=6.0)
