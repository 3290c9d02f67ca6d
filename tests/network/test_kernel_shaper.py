import pytest

from liecbench.network.kernel_shaper import backlog_bytes


@pytest.mark.parametrize(
    ("bits_per_second", "expected"),
    [
        (10**6, 4096),  # 20 ms of bytes are 2500
        (8 * 10**6, 20_000),
        (25_600_000, 64_000),
        (10**8, 64_000),
        (2 * 10**9, 125_000),  # half a millisecond, as without a delay line
    ],
)
def test_at_most_20_ms_of_bytes_wait_in_the_delay_line_unless_the_link_is_fast(
    bits_per_second: int, expected: int
) -> None:
    assert backlog_bytes(bits_per_second) == expected
