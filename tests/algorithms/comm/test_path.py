"""Trips one after the other in an exchange, counted on logical clocks that travel with the messages."""

from typing import Literal
from unittest.mock import patch

import pytest
import torch
import torch.distributed as dist

from liecbench.algorithms.comm.gloo import GlooTransport
from liecbench.algorithms.comm.group_exchange import GroupExchange
from liecbench.algorithms.comm.pacing import Pacer
from liecbench.algorithms.comm.path import Path
from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.compressors import Sign
from tests.distributed import run_ranks

NUM_RANKS = 4
NUMEL = 4000
PATHS = {
    "unknown": None,
    "without delay": Path(delay_seconds=0.0, bytes_per_second=1e6),
    # A quarter of the vector takes 4 ms on the link, far less than the delay: all three messages fit on the path.
    "long": Path(delay_seconds=0.05, bytes_per_second=1e6),
    # And here 4 s: the delay costs nothing beside it, and two messages would share the link. The signs take 0.5 s, of
    # which a barrier would take over 5 %.
    "short": Path(delay_seconds=0.05, bytes_per_second=1e3),
    # The signs of the vector take 52 s.
    "slow": Path(delay_seconds=0.05, bytes_per_second=10),
}


class TripCounter(Pacer):
    """A pacer that delays nothing, and counts: a message arrives one trip later than its sender had counted."""

    def __init__(self) -> None:
        super().__init__()
        self.is_active, self.trips = True, 0

    def record_send(self, peer: int, payload_bytes: int) -> None:
        self._times[self._rank, peer, self._num_sent[peer]] = self.trips + 1
        self._num_sent[peer] += 1

    def wait_for_arrival(self, peer: int, payload_bytes: int, waiting_since: float) -> None:
        self.trips = max(self.trips, int(self._times[peer, self._rank, self._num_received[peer], 0]))
        self._num_received[peer] += 1


def trips_and_barriers(kind: Literal["dense", "compressed"]) -> dict[str, tuple[int, int]]:
    """Return the trips of a push and a pull one after the other, up to this rank, and their barriers, on each path."""
    found = {}
    for name, path in PATHS.items():
        counter = TripCounter()
        group = dist.new_group()
        assert group is not None
        exchange = GroupExchange(group, "sharded", Stopwatch(), pacer=counter, path=path)
        vector = torch.full((NUMEL,), float(dist.get_rank()))
        with patch.object(GlooTransport, "_align_ranks") as barrier:
            if kind == "dense":
                assert torch.equal(exchange.mean(vector), torch.full((NUMEL,), 1.5))
            else:
                exchange.pull(Sign(), exchange.push(Sign(), vector), out=vector)
        found[name] = counter.trips, barrier.call_count
    return found


def test_a_dense_exchange_on_a_path_with_delay_takes_two_trips_and_no_barrier() -> None:
    one_by_one = (2 * (NUM_RANKS - 1), 2)

    for found in run_ranks(trips_and_barriers, NUM_RANKS, "dense"):
        assert found.pop("long") == (2, 0)
        assert set(found.values()) == {one_by_one}


def test_a_compressed_exchange_begins_with_a_barrier_only_if_the_path_is_slow() -> None:
    for found in run_ranks(trips_and_barriers, NUM_RANKS, "compressed"):
        assert found["long"] == (2, 0)
        # Two messages are in flight, so that each of the push and the pull takes two trips.
        assert found["unknown"] == found["without delay"] == found["short"] == (4, 0)
        assert found["slow"] == (2 * (NUM_RANKS - 1), 2)


@pytest.mark.parametrize(
    ("num_bytes", "is_dense", "trips"), [(119_999, False, 0), (120_001, False, 2), (40_001, True, 2), (39_999, True, 0)]
)
def test_a_barrier_takes_at_most_a_twentieth_of_the_transfer(num_bytes: int, is_dense: bool, trips: int) -> None:
    # Two trips of 1 ms, or of 3 ms with the processor's time per message, and a millisecond per 1000 bytes.
    path = Path(delay_seconds=1e-3, bytes_per_second=1e6, message_seconds=2e-3)

    assert path.barrier_trips(num_bytes, 4, is_dense=is_dense) == trips
    assert path.barrier_trips(num_bytes, 2, is_dense=is_dense) == 0


@pytest.mark.parametrize(("num_bytes", "expected"), [(10_000, 6), (50_000, 2), (500_000, 1)])
def test_messages_fill_the_path(num_bytes: int, expected: int) -> None:
    # 50 ms at 1 MB/s hold 50 kB.
    assert Path(delay_seconds=0.05, bytes_per_second=1e6).messages_in_flight(num_bytes) == expected
