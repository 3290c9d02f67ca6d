from typing import Any

import pytest

from liecbench.algorithms.comm.timing import Counters
from liecbench.worker.collective_errors import LinkError
from liecbench.worker.measure import RankEpoch, check_wire, other_cpu_share

SEEN: dict[str, Any] = {
    "mean_loss": 1.0,
    "num_steps": 1,
    "train_seconds": 1.0,
    "data_seconds": 0.0,
    "step_seconds": [1.0],
    "exposed_seconds": 0.0,
    "cpu_seconds": 1.0,
    "machine_cpu_seconds": (1.0, 2.0),
    "peak_memory_bytes": 1,
}


def seen(payload: tuple[int, int], wire: tuple[int, int] | None) -> RankEpoch:
    counters = Counters(sent_bytes=payload[0], received_bytes=payload[1])
    return RankEpoch(**SEEN, counters=counters, wire_bytes=wire)


@pytest.mark.parametrize("wire", [(1000, 2000), (1100, 2100), None])
def test_wire_bytes_that_hold_the_payload_pass(wire: tuple[int, int] | None) -> None:
    check_wire([seen((1000, 2000), wire)], "gloo")


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        ((999, 2100), "rank 1 sent 1,000 payload bytes, and the interface carried 999"),
        ((1100, 100), "rank 1 received 2,000 payload bytes, and the interface carried 100"),
    ],
)
def test_payload_that_the_wire_did_not_carry_is_an_error(wire: tuple[int, int], reason: str) -> None:
    with pytest.raises(LinkError, match=reason):
        check_wire([seen((1000, 2000), (1100, 2100)), seen((1000, 2000), wire)], "gloo")


def test_over_nccl_the_ranks_together_carry_the_payload() -> None:
    """A tree of three: its root sends a vector once, another rank twice, and each counts the mean."""
    ranks = [seen((1000, 1000), wire) for wire in ((760, 760), (760, 760), (1510, 1510))]
    check_wire(ranks, "nccl")

    with pytest.raises(LinkError, match="all ranks together sent 3,000 payload bytes, and the interface carried 2,260"):
        check_wire([*ranks[:2], seen((1000, 1000), (740, 1510))], "nccl")


@pytest.mark.parametrize(
    ("cpu_seconds", "machine", "expected"),
    [
        ((1.0, 1.0), (6.0, 8.0), 0.5),
        ((1.0, 1.0), (2.0, 8.0), 0.0),
        ((1.0, 1.5), (2.0, 8.0), 0.0),
        ((0.0, 0.0), (0.0, 0.0), 0.0),
    ],
)
def test_what_other_processes_had_is_what_the_ranks_had_not(
    cpu_seconds: tuple[float, float], machine: tuple[float, float], expected: float
) -> None:
    fields = [{**SEEN, "cpu_seconds": own, "machine_cpu_seconds": machine} for own in cpu_seconds]
    ranks = [RankEpoch(**each, counters=Counters(), wire_bytes=None) for each in fields]

    assert other_cpu_share(ranks) == expected
