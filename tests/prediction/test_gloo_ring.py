import pytest

from liecbench.bench.bench_launch import run_ranks
from liecbench.launch.plans import BenchmarkPlan, TransferCase
from liecbench.prediction.gloo_ring import GlooRing
from tests.namespace_support import skip_without_namespaces

MIB = 2**20
# A trip of 40 ms: two links of 20 ms each.
TRIP = 0.04


# Up to 2 MiB per rank, a chunk has two segments, which are under way together, so that each of 2(n - 1) steps takes an
# announcement and a transfer: 4(n - 1) trips. A chunk of k segments takes k/2 times as many.
@pytest.mark.parametrize(
    ("num_bytes", "world_size", "expected"),
    [
        (4096, 2, 4),
        (4096, 4, 12),
        (4096, 8, 28),
        (4 * MIB, 2, 4),
        (8 * MIB, 2, 8),
        # Five segments of less than 1 MiB per rank: pairs of 2, 2 and 1 in each phase.
        (9 * MIB, 2, 12),
        (8 * MIB, 4, 12),
        # 25 MiB among 4 ranks: 7 segments per rank, so that a phase has 21 of them, in 11 pairs.
        (25 * MIB, 4, 44),
    ],
)
def test_the_trips_of_an_all_reduce(num_bytes: int, world_size: int, expected: int) -> None:
    ring = GlooRing(num_bytes=num_bytes, world_size=world_size)

    assert ring.waiting_seconds(TRIP, float("inf")) == pytest.approx(expected * TRIP)


def test_transfers_hide_one_of_the_two_trips_of_all_pairs_but_the_first_of_each_phase() -> None:
    ring = GlooRing(num_bytes=25 * MIB, world_size=4)  # 11 pairs per phase, each segment of which takes a second

    assert ring.waiting_seconds(TRIP, 1e6) == pytest.approx((2 * 2 + 2 * 10) * TRIP)


def simulated_seconds(pairs: int, segment_seconds: float) -> float:
    """Return the seconds of a phase in which all ranks do the same at the same time, each on a link of its own.

    Each rank has two slots. If a slot's segment has arrived, the rank announces that the slot is free, and, when it
    has the same announcement of the rank to which it sends, sends that slot's next segment. Both use its link, which
    passes one after the other. An announcement takes the link no time.
    """
    link_free, arrived = 0.0, [0.0, 0.0]
    for _ in range(pairs):
        # The order of the link: the first slot's announcement may wait for the second slot's segment.
        announced = [max(at, link_free) + TRIP for at in arrived]
        for slot, at in enumerate(announced):
            link_free = max(at, link_free) + segment_seconds
            arrived[slot] = link_free + TRIP
    return arrived[1]


@pytest.mark.parametrize("segment_seconds", [0.001, 0.01, 0.039, 0.05, 0.079, 0.2])
@pytest.mark.parametrize(("num_bytes", "world_size"), [(4 * MIB, 4), (8 * MIB, 2), (24 * MIB, 5)])
def test_waiting_and_transfer_are_the_time_of_a_simulated_ring(
    num_bytes: int, world_size: int, segment_seconds: float
) -> None:
    ring = GlooRing(num_bytes=num_bytes, world_size=world_size)
    pairs = ring.segments_per_chunk * (world_size - 1) // 2
    segment_bytes = num_bytes / ring.segments_per_chunk / world_size

    waiting = ring.waiting_seconds(TRIP, segment_bytes / segment_seconds)

    # At the end of a phase, the last segment still is on the way.
    assert waiting + 4 * pairs * segment_seconds == pytest.approx(2 * simulated_seconds(pairs, segment_seconds))


def test_the_all_reduce_of_gloo_takes_as_long() -> None:
    """Three ranks, 200 Mbit/s: 8 trips; with 8 MiB 12 trips, of which segments of 39 ms, 6 per phase, hide a part."""
    skip_without_namespaces()
    link = {"rate": "200mbit", "delay": "20ms"}
    cases = {4096: 8 * TRIP, 8 * MIB: 12 * 0.039 + 2 * (2 * TRIP + 2 * (2 * TRIP - 0.039))}
    transfers = [TransferCase(operation="all_reduce", size=size, link=link, messages=1, repeats=3) for size in cases]
    reports, failure = run_ranks(BenchmarkPlan(transfers=tuple(transfers)), ["small", "large"], 3, lambda _: None)

    assert failure is None
    for (size, expected), report in zip(cases.items(), reports, strict=True):
        # Without announcements, it would be half as long. How much a busy machine adds has no bound.
        assert 0.98 * expected < min(report.figures["seconds"]), size
