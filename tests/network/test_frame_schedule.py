"""The arithmetic of frames on two links. Times are in seconds, and compared with formulas written here."""

import math
import struct
from collections.abc import Sequence
from typing import Any

import pytest

from liecbench.network.frame_schedule import FrameSchedule
from liecbench.network.link import Link

# 1000 bytes take a millisecond at 8 Mbit/s.
MBIT8 = 8_000_000
SEGMENT = 1514
HUB = 3


def frame(num_bytes: int, mark: int = 0) -> bytes:
    """Return a frame of one segment; its first payload byte is ``mark``."""
    return bytes(10) + bytes(14) + bytes([mark]) + bytes(num_bytes - 15)


def tcp_frame(segments: int) -> bytes:
    """Return a frame of TCP over IPv4 that stands for ``segments`` segments of 1448 bytes."""
    virtual = struct.pack("=BBHHHH", 1, 1, 66, 1448, 34, 16)
    ethernet = bytes(12) + b"\x08\x00"
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 1, 0, 64, 6, 0, bytes(4), bytes(4))
    tcp = struct.pack("!HHIIBBHHH", 1, 2, 0, 0, 8 << 4, 0x10, 0, 0, 0) + bytes(12)
    return virtual + ethernet + ip + tcp + bytes(1448 * segments)


def links(*rates: int, delay: float = 0.0, jitter: float = 0.0, loss: float = 0.0) -> FrameSchedule:
    schedule = FrameSchedule(HUB)
    for rank, rate in enumerate(rates):
        link = Link(
            up_bits_per_second=rate, down_bits_per_second=rate, delay_seconds=delay, jitter_seconds=jitter, loss=loss
        )
        schedule.up[rank].limit(link, rate)
        schedule.down[rank].limit(link, rate)
    return schedule


def arrivals(schedule: FrameSchedule) -> list[tuple[Any, int, int]]:
    """Return (time, destination, mark) of each frame, and let all arrive."""
    found: list[tuple[Any, int, int]] = []
    while schedule.next_time < math.inf:
        now = schedule.next_time
        found += [(now, destination, data[24]) for _, destination, data in schedule.due(now)]
    return found


def times(schedule: FrameSchedule) -> Sequence[float]:
    return [time for time, _, _ in arrivals(schedule)]


def test_a_frame_takes_its_time_once_and_four_delays_are_a_round_trip() -> None:
    schedule = links(MBIT8, MBIT8, delay=0.02)
    schedule.enter(1.0, 0, 1, frame(1000))
    schedule.enter(1.0, 0, 1, frame(500))

    assert times(schedule) == pytest.approx([1.0 + 0.001 + 0.04, 1.0 + 0.0015 + 0.04])


def test_no_burst_passes_after_idle() -> None:
    schedule = links(MBIT8, MBIT8)
    for at in (1.0, 5.0):
        schedule.enter(at, 0, 1, frame(1000))

    assert times(schedule) == pytest.approx([1.001, 5.001])


@pytest.mark.parametrize(("up", "down", "seconds"), [(1, 4, 0.004), (4, 1, 0.004), (2, 2, 0.002)])
def test_the_slower_link_decides(up: int, down: int, seconds: float) -> None:
    schedule = links(up * MBIT8 // 4, down * MBIT8 // 4)
    schedule.enter(0.0, 0, 1, frame(1000))

    assert times(schedule) == pytest.approx([seconds])


def test_two_senders_share_the_receivers_link() -> None:
    schedule = links(MBIT8, MBIT8, MBIT8)
    schedule.enter(0.0, 0, 2, frame(1000, 1))
    schedule.enter(0.0, 1, 2, frame(1000, 2))

    assert arrivals(schedule) == [(pytest.approx(0.001), 2, 1), (pytest.approx(0.002), 2, 2)]


def test_a_small_frame_passes_between_the_segments_of_a_large_one() -> None:
    schedule = links(MBIT8, MBIT8, MBIT8)
    schedule.enter(0.0, 0, 2, frame(10 * SEGMENT, 1))
    schedule.enter(0.005, 1, 2, frame(100, 2))

    # The fourth segment passes from 4.542 to 6.056 ms. Those after it are late by the small frame's time.
    assert arrivals(schedule) == [(pytest.approx(0.006156), 2, 2), (pytest.approx(0.01524), 2, 1)]


def test_the_segments_of_two_large_frames_take_turns() -> None:
    schedule = links(MBIT8, MBIT8, MBIT8)
    schedule.enter(0.0, 0, 2, frame(10 * SEGMENT, 1))
    schedule.enter(0.0, 1, 2, frame(10 * SEGMENT, 2))

    assert arrivals(schedule) == [(pytest.approx(19 * 0.001514), 2, 1), (pytest.approx(20 * 0.001514), 2, 2)]


@pytest.mark.parametrize("sender", ["slower", "faster"])
def test_a_large_frame_takes_no_longer_than_the_slower_link_needs(sender: str) -> None:
    schedule = links(MBIT8 // 4, MBIT8) if sender == "slower" else links(MBIT8, MBIT8 // 4)
    schedule.enter(0.0, 0, 1, frame(10 * SEGMENT, 1))

    assert times(schedule) == pytest.approx([4 * 0.01514])


def test_a_slow_sender_does_not_hold_up_a_fast_link() -> None:
    schedule = links(MBIT8 // 100, MBIT8, MBIT8)
    schedule.enter(0.0, 0, 2, frame(1000, 1))  # 100 ms on its way up
    schedule.enter(0.0005, 1, 2, frame(1000, 2))

    # The slow frame reserves a millisecond of the down link, no more.
    assert arrivals(schedule) == [(pytest.approx(0.002), 2, 2), (pytest.approx(0.1), 2, 1)]


def test_a_frame_that_waits_for_its_up_link_does_not_reserve_the_down_link() -> None:
    schedule = links(MBIT8, MBIT8, MBIT8)
    for mark in range(1, 6):
        schedule.enter(0.0, 0, 2, frame(1000, mark))
    schedule.enter(0.0, 1, 2, frame(1000, 9))

    # Frame 2 of rank 0 enters the down link at 1 ms, behind the one of rank 1, which entered it at 0.
    assert [mark for _, _, mark in arrivals(schedule)][:3] == [1, 9, 2]


def test_a_message_to_the_hub_crosses_one_link() -> None:
    schedule = links(MBIT8, MBIT8, delay=0.01)
    schedule.enter(0.0, 0, HUB, frame(1000, 1))
    schedule.enter(0.5, HUB, 1, frame(1000, 2))

    assert arrivals(schedule) == [(pytest.approx(0.011), HUB, 1), (pytest.approx(0.511), 1, 2)]


def test_a_broadcast_takes_the_senders_link_once() -> None:
    schedule = links(MBIT8, MBIT8, MBIT8)
    schedule.broadcast(0.0, 0, (1, 2), frame(1000, 1))
    schedule.enter(0.0, 0, 1, frame(1000, 2))

    assert arrivals(schedule) == [
        (pytest.approx(0.001), 1, 1),
        (pytest.approx(0.001), 2, 1),
        (pytest.approx(0.002), 1, 2),
    ]


def test_jitter_stays_in_its_range_and_keeps_the_order() -> None:
    schedule = links(MBIT8, MBIT8, delay=0.02, jitter=0.01)
    for number in range(250):
        schedule.enter(number * 0.0001, 0, 1, frame(100, number))
    dense = arrivals(schedule)
    for number in range(250):
        schedule.enter(100 + number, 0, 1, frame(100, number))
    delays = [time - 100 - number - 0.0001 for number, (time, _, _) in enumerate(arrivals(schedule))]

    assert [mark for _, _, mark in dense] == list(range(250))
    assert 0.02 - 1e-9 <= min(delays) < 0.03
    assert 0.05 < max(delays) <= 0.06 + 1e-9
    assert sum(delays) / 250 == pytest.approx(0.04, abs=4 * 0.02 / math.sqrt(6 * 250))


def test_jitter_keeps_the_order_of_large_and_small_frames() -> None:
    schedule = links(MBIT8, MBIT8, delay=0.02, jitter=0.005)
    for number in range(100):
        schedule.enter(0.0, 0, 1, frame(30_000 if number % 2 else 100, number))

    assert [mark for _, _, mark in arrivals(schedule)] == list(range(100))


def test_what_arrives_of_a_frame_with_lost_segments_arrives_in_time() -> None:
    schedule, late = links(MBIT8, MBIT8, loss=0.05), []
    for number in range(200):
        schedule.enter(float(number), 0, 1, tcp_frame(20))
    while schedule.next_time < math.inf:
        now = schedule.next_time
        late += [now - at for at, _, _ in schedule.due(now)]

    assert schedule.down[1].lost_segments > 0
    assert max(late) == pytest.approx(0.0, abs=1e-9)


def test_lost_segments_are_counted_per_direction_and_within_their_binomial_interval() -> None:
    schedule, number = links(MBIT8, MBIT8, loss=0.01), 20_000
    for sent in range(number):
        schedule.enter(sent * 0.01, 0, 1, frame(100))
    arrived = len(times(schedule))
    up, down = schedule.up[0].lost_segments, schedule.down[1].lost_segments
    spread = 4 * math.sqrt(number * 0.01 * 0.99)

    assert number == arrived + up + down
    assert abs(up - 0.01 * number) < spread
    assert abs(down - 0.01 * 0.99 * number) < spread
    assert (schedule.down[0].lost_segments, schedule.up[1].lost_segments) == (0, 0)


def test_losses_are_the_same_in_every_run() -> None:
    def run() -> list[int]:
        schedule = links(MBIT8, MBIT8, loss=0.1)
        for mark in range(250):
            schedule.enter(float(mark), 0, 1, frame(100, mark))
        return [mark for _, _, mark in arrivals(schedule)]

    assert run() == run()


def test_lifting_keeps_the_order_and_flush_lets_all_arrive() -> None:
    schedule = links(MBIT8, MBIT8, delay=1.0)
    schedule.enter(0.0, 0, 1, frame(1000, 1))
    for rank in (0, 1):
        schedule.up[rank].lift()
        schedule.down[rank].lift()
    schedule.enter(0.1, 0, 1, frame(1000, 2))

    assert list(schedule.due(0.5)) == []
    assert [data[24] for _, _, data in schedule.flush()] == [1, 2]
    schedule.enter(0.6, 0, 1, frame(1000, 3))
    assert times(schedule) == [0.6]
