from dataclasses import replace

import pytest

from liecbench.network.goodput import slowest_stream, stream_bits_per_second
from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap

LINK = Link(up_bits_per_second=10**8, down_bits_per_second=10**8, delay_seconds=0.02, loss=0.01)
LOSSLESS = replace(LINK, loss=0.0)


def test_a_stream_without_losses_has_the_rate_of_the_slower_link() -> None:
    assert stream_bits_per_second(LOSSLESS, replace(LOSSLESS, down_bits_per_second=10**7)) == 10**7


@pytest.mark.parametrize(
    ("receiver", "expected"),
    [
        # 1.2247 × 1514 bytes ÷ (80.3 ms × √0.01), and √0.0199 if both links lose 1 %.
        (LOSSLESS, 1.847e6),
        (LINK, 1.309e6),
        # 0.3 ms of round trip leave a stream 489 Mbit/s.
        (replace(LOSSLESS, delay_seconds=0.0), 3.68e6),
    ],
)
def test_losses_limit_a_stream_by_mathis_formula(receiver: Link, expected: float) -> None:
    assert stream_bits_per_second(LINK, receiver) == pytest.approx(expected, rel=0.01)


def test_losses_on_a_link_without_delay_leave_a_stream_the_rate() -> None:
    link = replace(LINK, delay_seconds=0.0)

    assert stream_bits_per_second(link, link) == 10**8


def test_the_slowest_stream_is_between_the_links_with_most_delay_and_loss() -> None:
    links = LinkMap.parse({"rate": "100mbit", "delay": "20ms", "workers": {"1": {"loss": "1%"}, "2": {"delay": "5ms"}}})

    # From worker 1 to itself is no stream, but the links are those of the worst pair that the map could describe.
    assert slowest_stream(links) == pytest.approx(1.309e6, rel=0.01)
    assert slowest_stream(links, sender=links.of(2), receiver=links.of(0)) == 10**8
    assert slowest_stream(links, sender=links.of(2)) == pytest.approx(1.2247 * 8 * 1514 / (0.0503 * 0.1), rel=0.01)
