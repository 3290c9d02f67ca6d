"""The arithmetic of one direction of a link. Times are in seconds, and compared with formulas written here."""

import pytest

from liecbench.network.link import Link
from liecbench.network.link_direction import LinkDirection


def limited(bits_per_second: int, delay: float = 0.0) -> LinkDirection:
    direction = LinkDirection("up 0")
    link = Link(up_bits_per_second=1, down_bits_per_second=1, delay_seconds=delay)
    direction.limit(link, bits_per_second)
    return direction


def test_frames_pass_one_after_the_other_and_are_delayed() -> None:
    direction = limited(8_000_000, delay=0.5)  # 1000 bytes take a millisecond

    assert direction.carry(0.0, 0.0, 1000) == pytest.approx((0.5, 0.501))
    assert direction.carry(0.0, 0.0, 2000) == pytest.approx((0.501, 0.503))
    # After a pause, a frame whose last byte arrives late leaves late.
    assert direction.carry(1.0, 1.25, 1000) == pytest.approx((1.5, 1.75))


def test_a_frame_after_forgotten_ones_does_not_wait() -> None:
    direction = limited(8_000_000)
    direction.carry(0.0, 0.0, 10**6)
    direction.forget()

    assert direction.carry(0.0, 0.0, 1000) == pytest.approx((0.0, 0.001))


@pytest.mark.parametrize(
    ("bits_per_second", "parts"),
    [
        (8_000_000, [1514, 1514, 1514, 458]),  # 500 bytes pass in half a millisecond, less than a segment
        (32_000_000, [2000, 2000, 1000]),
        (10**9, [5000]),
    ],
)
def test_large_frames_are_split_at_half_a_millisecond_or_a_segment(bits_per_second: int, parts: list[int]) -> None:
    assert list(limited(bits_per_second).parts(5000)) == parts


def test_a_lifted_direction_passes_frames_at_once_and_whole() -> None:
    direction = limited(8_000_000, delay=0.5)
    direction.lift()

    assert direction.carry(1.0, 1.0, 10**6) == (1.0, 1.0)
    assert list(direction.parts(10**6)) == [10**6]
    assert direction.pieces(bytes(10) + bytes(50)) == [(bytes(60), 50, False)]
