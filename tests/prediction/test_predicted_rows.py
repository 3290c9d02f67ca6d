import math

import pytest

from liecbench.prediction.transport_costs import TransportCosts
from tests.prediction.made_predictions import predicted
from tests.prediction.made_profiles import made_profile


def test_a_row_compares_with_the_baseline_and_the_fastest_dense_method() -> None:
    found = predicted(["ddp", "ddp_bf16", "doublesqueeze"], link="10mbit")

    by_name = {row.method.name: row for row in found.rows}
    sign, half, full = (by_name[name] for name in ("doublesqueeze(sign)", "ddp_bf16", "ddp"))
    assert [row.method.name for row in found.rows] == ["doublesqueeze(sign)", "ddp_bf16", "ddp"]
    assert sign.speedup is not None
    assert sign.speedup.mean == pytest.approx(full.step_seconds.mean / sign.step_seconds.mean)
    assert sign.speedup_over_dense is not None
    assert sign.speedup_over_dense.mean == pytest.approx(half.step_seconds.mean / sign.step_seconds.mean)
    assert half.speedup_over_dense is None
    assert sign.compute_utilization == pytest.approx(0.03 / sign.step_seconds.mean)
    # 4 MB there and back, halves of it: 1 byte per 8 elements each way for sign.
    assert [full.sent_bytes, sign.sent_bytes] == pytest.approx([4_000_000, 125_000], rel=1e-3)
    assert full.bottleneck == "wire"
    assert sign.time.compute_seconds == pytest.approx(0.03)


def test_intervals_grow_with_the_spread_of_the_profile() -> None:
    widths = []
    for spread in (0.0, 0.05, 0.1):
        (row,) = predicted(["ddp"], link="1gbit", profile=made_profile([1_000], spread=spread)).rows
        low, high = row.step_seconds.low, row.step_seconds.high
        assert low is not None
        assert high is not None
        widths.append(high / low)

    assert widths == sorted(widths)
    # Two thirds and one third of a step with a half interquartile range of 10 % each.
    error = 0.1 * math.hypot(2 / 3, 1 / 3) / 0.6745
    assert widths[-1] == pytest.approx((1 + error) ** (2 * 1.96), rel=0.05)


def test_rows_outside_of_the_measurements_are_flagged() -> None:
    costs = TransportCosts(workers=(2, 4), rates=(10_000_000, 100_000_000))

    rows = predicted(["ddp"], workers=(2, 8), link="100mbit,100gbit", costs=costs).rows

    flags = {(row.workers, str(row.link)): row.flags for row in rows}
    assert "extrapolated_rate" not in flags[2, "100mbit"]
    assert "extrapolated_workers" not in flags[2, "100mbit"]
    assert {"extrapolated_rate", "extrapolated_workers", "predicted"} <= set(flags[8, "100gbit"])


def test_nodes_share_one_link() -> None:
    flat, nodes = (
        predicted(["ddp"], workers=(16,), link="1gbit", ranks_per_node=ranks, inner_bits_per_second=1e12).rows[0]
        for ranks in (1, 8)
    )

    # Two nodes exchange the gradient once each way; 16 workers of their own 2 · 15/16 of it.
    assert nodes.time.wire_seconds / flat.time.wire_seconds == pytest.approx(1 / (2 * 15 / 16), rel=0.05)
    # A ring all-reduce of 4 MB, among 16 workers and among two nodes.
    assert [flat.sent_bytes, nodes.sent_bytes] == pytest.approx([2 * 15 / 16 * 4_000_000, 2 * 1 / 2 * 4_000_000])
    assert "assumed_nodes" in nodes.flags


def test_steps_of_several_minibatches_are_compared_per_minibatch() -> None:
    found = predicted(["ddp", "neolithic", "neolithic:accumulate=true"], link="10mbit")

    accumulating, every, dense = found.rows
    assert [row.batches_per_step for row in found.rows] == [2, 1, 1]
    # The same messages, for twice the minibatches; the second minibatch computes another 0.02 s before its update.
    assert accumulating.time.wire_seconds == pytest.approx(every.time.wire_seconds, rel=1e-6)
    assert accumulating.step_seconds.mean > every.step_seconds.mean
    assert accumulating.speedup is not None
    assert accumulating.speedup.mean == pytest.approx(2 * dense.step_seconds.mean / accumulating.step_seconds.mean)
