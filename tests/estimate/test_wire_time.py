import dataclasses
from typing import Any

import pytest

from liecbench.algorithms.comm.schedule import ScheduledAllReduce
from liecbench.estimate.planned_bytes import StepTraffic, traffic
from liecbench.estimate.wire_time import wire_seconds, wire_seconds_per_epoch
from tests.estimate.estimated_cells import NUMEL, STEPS, cell

DELAYED = {"rate": "1gbit", "delay": "20ms"}
# A message crosses its sender's link and its receiver's.
TRIP = 0.04


@pytest.mark.parametrize(
    ("link", "server", "expected"),
    [
        # 1,000,000 bytes with 5 % of headers at 10 Mbit/s are 0.84 s each way.
        ("10mbit", None, 0.84),
        ("100mbit", None, 0.084),
        ({"up": "10mbit", "down": "100mbit"}, None, 0.84),
        ({"up": "100mbit", "down": "10mbit"}, "root", 0.924),
        ("10mbit", "root", 1.68),
        ({"rate": "10mbit", "delay": "5ms"}, "sharded", 0.84 + 2 * 3 * 2 * 0.005),
        ({"rate": "100mbit", "workers": {"1": "10mbit"}}, None, 0.84),
        ("none", None, 0.0),
    ],
)
def test_a_links_seconds_are_bytes_over_rate_and_delays(link: Any, server: str | None, expected: float) -> None:
    kind = StepTraffic(count=1, num_messages=0, num_sequential=3, ranks=[(1_000_000, 1_000_000)] * 2)
    actual = wire_seconds(cell(link=link, server=server), kind)

    assert expected == pytest.approx(actual)


# Shards: each message waits for an announcement, and then crosses. A root's announcements have arrived.
@pytest.mark.parametrize(
    ("server", "delays", "expected"),
    [
        ("sharded", [5, 5, 5, 5], 2 * 7 * 10),
        ("root", [5, 5, 5, 5], 7 * 10),
        ("sharded", [0, 20, 0, 30], 2 * 7 * 50),
        ("root", [1, 20, 0, 30], 7 * 31),
    ],
)
def test_each_message_in_sequence_takes_the_delays_of_two_links(server: str, delays: list[int], expected: int) -> None:
    link = {"rate": "10mbit", "workers": {str(rank): {"delay": f"{delay}ms"} for rank, delay in enumerate(delays)}}
    late, early = (
        StepTraffic(count=1, num_messages=0, num_sequential=number, ranks=[(1000, 1000)] * 4) for number in (7, 0)
    )
    slow = cell(link=link, server=server, workers=4)

    assert wire_seconds(slow, late) - wire_seconds(slow, early) == pytest.approx(expected / 1000)


def test_a_ring_takes_the_delays_of_all_links() -> None:
    link = {"rate": "10mbit", "workers": {"1": {"delay": "20ms"}, "3": {"delay": "30ms"}}}
    kind = StepTraffic(count=1, num_messages=0, num_sequential=0, ranks=[(0, 0)] * 4, all_reduces=(_all_reduce(0, 4),))

    # 12 trips, each of which crosses two of the four links.
    assert wire_seconds(cell(link=link, workers=4), kind) == pytest.approx(12 * 2 * 0.05 / 4, rel=1e-3)


def _all_reduce(bucket: int, num_bytes: int, *depends_on: int) -> ScheduledAllReduce:
    return ScheduledAllReduce(num_bytes=num_bytes, bucket=bucket, depends_on=depends_on)


@pytest.mark.parametrize(
    ("all_reduces", "expected"),
    [
        ([_all_reduce(0, 4)], 4),
        # Gloo runs two at a time, unless one needs the other's result.
        ([_all_reduce(0, 4), _all_reduce(1, 4)], 4),
        ([_all_reduce(bucket, 4) for bucket in range(4)], 8),
        ([_all_reduce(0, 4), _all_reduce(0, 4, 0), _all_reduce(1, 4)], 8),
    ],
)
def test_all_reduces_of_several_buckets_share_the_delays(all_reduces: list[ScheduledAllReduce], expected: int) -> None:
    kind = StepTraffic(count=1, num_messages=0, num_sequential=0, ranks=[(0, 0)] * 2, all_reduces=tuple(all_reduces))

    assert wire_seconds(cell(link=DELAYED), kind) == pytest.approx(expected * TRIP, rel=1e-3)


# 1,000,000 bytes with 5 % of headers at Mathis' rate of one stream: 1.2247 × 1514 bytes per 80.3 ms and √0.0199. A ring
# has one stream per rank, a rank with shards three among four ranks, and so has a root, whose workers have one each.
@pytest.mark.parametrize(
    ("server", "streams"), [(None, [1, 1, 1, 1]), ("sharded", [3, 3, 3, 3]), ("root", [3, 1, 1, 1])]
)
def test_losses_bound_the_rate_by_mathis_formula(server: str | None, streams: list[int]) -> None:
    lossy = cell(link={"rate": "100mbit", "delay": "20ms", "loss": "1%"}, server=server, workers=4)
    stream = 1.2247 * 1514 / (0.0803 * 0.0199**0.5)
    for rank, number in enumerate(streams):
        ranks = [(0, 0)] * 4
        ranks[rank] = (1_000_000, 0)
        kind = StepTraffic(count=1, num_messages=0, num_sequential=0, ranks=ranks)

        assert wire_seconds(lossy, kind) == pytest.approx(1_050_000 / (number * stream), rel=0.01)


def test_over_nccl_no_message_waits_for_an_announcement() -> None:
    ring = StepTraffic(count=1, num_messages=0, num_sequential=0, ranks=[(0, 0)] * 4, all_reduces=(_all_reduce(0, 4),))
    messages = StepTraffic(count=1, num_messages=0, num_sequential=2, ranks=[(0, 0)] * 4)
    nccl = {"backend": "nccl", "device": "cuda", "link": DELAYED, "workers": 4}

    assert wire_seconds(cell(**nccl), ring) == pytest.approx(6 * TRIP)
    # NCCL runs one all-reduce after the other.
    two = dataclasses.replace(ring, all_reduces=(_all_reduce(0, 4), _all_reduce(1, 4)))
    assert wire_seconds(cell(**nccl), two) == pytest.approx(12 * TRIP)
    assert wire_seconds(cell(server="sharded", **nccl), messages) == pytest.approx(2 * TRIP)


# A server answers what it was sent; LIEC's averaging step averages the models after the exchange of gradients, and
# local SGD sends nothing in between. Trips in units of 40 ms, over links whose rate hardly counts.
@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("ddp", {"step": 12}),
        ("psgd", {"step": 4}),
        ("memsgd", {"step": 4}),
        ({"name": "liec", "average_period": 4}, {"compressed": 4, "averaging": 8}),
        ({"name": "local_sgd", "average_period": 4}, {"local": 0, "averaging": 4}),
    ],
    ids=str,
)
def test_the_trips_of_a_step(algorithm: Any, expected: dict[str, int]) -> None:
    name = algorithm if isinstance(algorithm, str) else algorithm["name"]
    compressor = "sign" if name in ("memsgd", "liec") else None
    server = None if name == "ddp" else "sharded"
    delayed = cell(algorithm, compressor=compressor, server=server, workers=4, link=DELAYED)
    found = {kind: wire_seconds(delayed, steps) / TRIP for kind, steps in traffic(delayed).items()}

    assert found == pytest.approx(expected, abs=0.01)


def test_an_epochs_link_seconds_are_those_of_its_steps() -> None:
    assert pytest.approx(wire_seconds_per_epoch(cell())) == STEPS * 4 * NUMEL * 8 * 1.05 / 10e6
