from typing import Any

import pytest

from liecbench.algorithms.comm.timing import Counters
from liecbench.worker.collective_errors import LinkError
from liecbench.worker.rank_measurement import RankMeasurement, check_wire_bytes, other_cpu_share

FIELDS: dict[str, Any] = {
    "mean_loss": 1.0,
    "num_steps": 1,
    "train_seconds": 1.0,
    "data_seconds": 0.0,
    "step_seconds": [1.0],
    "compute_seconds": 0.5,
    "exposed_seconds": 0.0,
    "exposed_compress_seconds": 0.0,
    "exposed_communicate_seconds": 0.0,
    "link_seconds": None,
    "cpu_seconds": 1.0,
    "machine_cpu_seconds": (1.0, 2.0),
    "peak_memory_bytes": 1,
    "memory_bytes": 1,
}


def measurement(payload: tuple[int, int], wire: tuple[int, int] | None) -> RankMeasurement:
    counters = Counters(sent_bytes=payload[0], received_bytes=payload[1])
    return RankMeasurement(**FIELDS, counters=counters, wire_bytes=wire)


@pytest.mark.parametrize("wire", [(1000, 2000), (1100, 2100), None])
def test_at_least_the_payload_on_the_wire_passes(wire: tuple[int, int] | None) -> None:
    check_wire_bytes([measurement((1000, 2000), wire)], "gloo")


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        ((999, 2100), "rank 1 sent 1,000 payload bytes, but the interface carried 999"),
        ((1100, 100), "rank 1 received 2,000 payload bytes, but the interface carried 100"),
    ],
)
def test_less_than_the_payload_on_the_wire_is_an_error(wire: tuple[int, int], reason: str) -> None:
    with pytest.raises(LinkError, match=reason):
        check_wire_bytes([measurement((1000, 2000), (1100, 2100)), measurement((1000, 2000), wire)], "gloo")


def test_nccl_is_checked_in_total() -> None:
    """In a tree of three ranks the root sends a vector once, another rank twice; payload counts the mean for each."""
    ranks = [measurement((1000, 1000), wire) for wire in ((760, 760), (760, 760), (1510, 1510))]
    check_wire_bytes(ranks, "nccl")

    with pytest.raises(LinkError, match="all ranks together sent 3,000 payload bytes, but the interface carried 2,260"):
        check_wire_bytes([*ranks[:2], measurement((1000, 1000), (740, 1510))], "nccl")


@pytest.mark.parametrize(
    ("cpu_seconds", "machine", "expected"),
    [
        ((1.0, 1.0), (6.0, 8.0), 0.5),
        ((1.0, 1.0), (2.0, 8.0), 0.0),
        ((1.0, 1.5), (2.0, 8.0), 0.0),
        ((0.0, 0.0), (0.0, 0.0), 0.0),
    ],
)
def test_other_processes_used_what_the_ranks_did_not(
    cpu_seconds: tuple[float, float], machine: tuple[float, float], expected: float
) -> None:
    fields = [{**FIELDS, "cpu_seconds": own, "machine_cpu_seconds": machine} for own in cpu_seconds]
    ranks = [RankMeasurement(**each, counters=Counters(), wire_bytes=None) for each in fields]

    assert other_cpu_share(ranks) == expected


def test_a_share_is_at_most_1_although_the_count_of_idle_time_can_fall() -> None:
    fields = {**FIELDS, "cpu_seconds": 0.01, "machine_cpu_seconds": (0.06, 0.02)}

    assert other_cpu_share([RankMeasurement(**fields, counters=Counters(), wire_bytes=None)]) == 1.0


def test_other_processes_of_a_machine_are_those_beside_its_own_ranks() -> None:
    # The ranks use 1 of 4 seconds on each machine; others use none on the first and 2 on the second.
    machines = [(1.0, 4.0), (3.0, 4.0)]
    fields = [{**FIELDS, "machine": number, "machine_cpu_seconds": used} for number, used in enumerate(machines)]
    ranks = [RankMeasurement(**each, counters=Counters(), wire_bytes=None) for each in fields]

    assert other_cpu_share(ranks) == 2.0 / 4.0
