import dataclasses

from liecbench.algorithms.comm.timing import Counters
from liecbench.worker.burst_record import Turn, burst_record
from liecbench.worker.step_timing import Burst
from tests.worker.rank_measurements import measurement

TURN = Turn(setting="s", contestant="c", placement=2, round=1, order=3, compute_step_seconds=0.5)


def test_a_burst_has_the_slowest_ranks_time_and_the_timed_steps_bytes() -> None:
    # Three steps, of which the first is not timed: two thirds of the bytes are those of the timed steps.
    fast, slow = (
        dataclasses.replace(
            measurement([1.0, seconds]),
            num_steps=3,
            counters=Counters(sent_bytes=300, received_bytes=600, compress_seconds=0.5, communicate_seconds=seconds),
            wire_bytes=(330, 660),
        )
        for seconds in (2.0, 4.0)
    )
    actual = burst_record(Burst(ranks=[fast, slow], thread_seconds=[None, None]), TURN, "averaging", 0.25)

    assert (actual.kind, actual.kind_share, actual.placement, actual.round, actual.order) == (
        "averaging",
        0.25,
        2,
        1,
        3,
    )
    assert (actual.steps, actual.seconds) == (2, 5.0)
    parts = (actual.compute_seconds, actual.wire_seconds, actual.compress_seconds, actual.other_seconds)
    assert abs(sum(parts) - 5.0) < 1e-12
    # Two steps compute 0.5 s each when they are alone; in these bursts they computed 0.4 × 3 s and 0.4 × 5 s.
    assert (actual.compute_seconds, actual.thread_seconds) == (1.0, 1.6)
    assert (actual.communicate_seconds, actual.least_communicate_seconds) == (4.0, 2.0)
    assert actual.payload_bytes == {"sent": [200, 200], "received": [400, 400]}
    assert actual.wire_bytes == {"sent": [220, 220], "received": [440, 440]}
    assert actual.step_quantiles == [1.0, 4.0]


def test_a_rank_without_an_interface_leaves_wire_bytes_unknown() -> None:
    ranks = [measurement([1.0], wire=(8, 8)), measurement([1.0])]

    assert burst_record(Burst(ranks=ranks, thread_seconds=[None, None]), TURN, "step", 1.0).wire_bytes is None


def test_many_steps_leave_ten_quantiles() -> None:
    one = measurement([float(number) for number in range(101)])
    actual = burst_record(Burst(ranks=[one], thread_seconds=[None]), TURN, "step", 1.0)

    assert actual.step_quantiles == [5.0, 15.0, 25.0, 35.0, 45.0, 55.0, 65.0, 75.0, 85.0, 95.0]
