"""Rows, break-evens and needed bandwidths of predictions."""

import math
from typing import Any

import pytest

from liecbench.errors import LiecbenchError
from liecbench.network.link_map import LinkMap
from liecbench.prediction import predictor, server_exchange
from liecbench.prediction.named_methods import named_methods
from liecbench.prediction.prediction_inputs import parse_links
from liecbench.prediction.predictions import Predictions, Request, predict
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.prediction.variants import crossing, interval
from liecbench.profiles.profile import MethodTimes, Profile
from tests.prediction.made_profiles import made_profile

COSTS = TransportCosts(message_seconds=1e-6, segment_seconds=1e-6, step_seconds=0.0, message_spread=0.0)


def predicted(
    algorithms: list[str],
    workers: tuple[int, ...] = (2,),
    link: Any = "10mbit,100mbit,1gbit",
    profile: Profile | None = None,
    costs: TransportCosts = COSTS,
    **changes: Any,
) -> Predictions:
    links = parse_links(link) if isinstance(link, str) else (LinkMap.parse(link),)
    request = Request(
        profile=profile or made_profile([1_000_000]),
        methods=named_methods(algorithms, ["sign"], "sharded"),
        baseline=algorithms[0],
        workers=workers,
        links=links,
        costs=costs,
        **changes,
    )
    return predict(request)


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


def test_the_break_even_is_where_the_saved_bytes_take_as_long_as_compression() -> None:
    # 16-bit gradients of 1 000 000 elements save 2 MB each way; sign saves 3.875 MB each way, and takes 5 operations on
    # 500 000 elements at 8 ns. Over the exchange, ddp's wire bytes are 4 MB · 1.068.
    profile = made_profile([1_000_000], compress=8e-9)

    (found,) = predicted(["ddp", "doublesqueeze"], link="1gbit", profile=profile).break_evens

    # Push: compress, then (transfer or compress + add own), add. Pull: compress, transfer, decompress. Here,
    # the transfer of signs is shorter than the work that it overlaps.
    seconds = 500_000 * 8e-9
    expected = 8 * 4_000_000 * 1.068 / (seconds * (1 + 2 + 1 + 1 + 1 + 1))
    assert found.outcome == "below"
    assert found.bits_per_second is not None
    assert found.bits_per_second.mean == pytest.approx(expected, rel=0.03)
    assert found.bits_per_second.low is not None
    assert found.bits_per_second.low < found.bits_per_second.mean
    assert "faster below" in found.text


def test_a_method_that_only_saves_bytes_is_always_faster() -> None:
    profile = made_profile([1_000_000], compress=0.0)

    (found,) = predicted(["ddp", "ddp_bf16"], link="1gbit", profile=profile).break_evens

    assert (found.outcome, found.bits_per_second) == ("always", None)


def test_methods_that_are_equally_fast_at_every_rate_have_no_break_even() -> None:
    # Inside one node nothing passes the link, and gradients are reduced uncompressed.
    inside = predicted(["ddp", "ddp_bf16"], (4,), ranks_per_node=4, inner_bits_per_second=1e9)
    (found,) = inside.break_evens

    assert (found.outcome, found.bits_per_second, found.text) == ("unclear", None, "as fast at every rate")
    (bandwidth, _) = predicted(["ddp", "ddp_bf16"], (1,)).bandwidths
    assert {bandwidth.rate_text(needed) for needed in bandwidth.rates} == {"at most 100kbit"}


@pytest.mark.parametrize(
    ("varied", "outcome"),
    [
        ([[1e9], [1.1e9]], "below"),
        ([[1e9], [1e11]], "unclear"),  # 1e9 · exp(±1.96 · ln 100)
        ([[1e9], []], "unclear"),  # with a changed input there is no such rate
        ([[1e9], [1e8, 1e9]], "unclear"),
    ],
)
def test_a_break_even_is_told_only_if_the_inputs_errors_leave_one(
    varied: list[list[float]], outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    crossings = iter([(rates, True) for rates in (*varied, *[varied[0]] * 3)])
    monkeypatch.setattr(predictor.Predictor, "crossings", lambda *_: next(crossings))

    (found,) = predicted(["ddp", "psgd"], link="1gbit").break_evens

    assert (found.outcome, found.bits_per_second is not None) == (outcome, outcome == "below")
    assert found.text.startswith("faster below 1gbit" if outcome == "below" else "not known at which rates")


def test_needed_bandwidth_gives_the_asked_utilization() -> None:
    (ddp, _) = predicted(["ddp", "doublesqueeze"], link="1gbit").bandwidths

    half = ddp.rates[0]
    assert (half.utilization, half.basis) == (0.5, "predicted")
    # Half of the step is communication: 30 ms for 4 MB with headers.
    assert half.low_bits_per_second is not None
    assert half.high_bits_per_second is not None
    middle = math.sqrt(half.low_bits_per_second * half.high_bits_per_second)
    assert middle == pytest.approx(8 * 4_000_000 * 1.068 / 0.03, rel=0.05)
    assert ddp.compute.seconds == pytest.approx(0.03)
    assert ddp.highest_utilization == pytest.approx(1.0, abs=0.01)


def test_compression_bounds_the_utilization() -> None:
    (_, sign) = predicted(["ddp", "doublesqueeze"], profile=made_profile([1_000_000], compress=50e-9)).bandwidths

    assert not sign.rates[-1].is_reached
    assert sign.limited_by == "compression"


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


def test_effects_of_independent_errors_add_as_squares() -> None:
    found = interval([10.0, 10.0 * math.exp(0.03), 10.0 * math.exp(-0.04)])

    assert found.high == pytest.approx(10 * math.exp(1.96 * 0.05))
    assert found.low == pytest.approx(10 * math.exp(-1.96 * 0.05))


def test_a_crossing_is_found_on_a_logarithmic_scale() -> None:
    assert crossing(lambda x: x - 12_345, 1, 1e12) == pytest.approx(12_345, rel=0.005)


def test_rows_outside_of_the_measurements_are_flagged() -> None:
    costs = TransportCosts(workers=(2, 4), rates=(10_000_000, 100_000_000))

    rows = predicted(["ddp"], workers=(2, 8), link="100mbit,100gbit", costs=costs).rows

    flags = {(row.workers, str(row.link)): row.flags for row in rows}
    assert "extrapolated_rate" not in flags[2, "100mbit"]
    assert "extrapolated_workers" not in flags[2, "100mbit"]
    assert {"extrapolated_rate", "extrapolated_workers", "predicted"} <= set(flags[8, "100gbit"])


@pytest.mark.parametrize(
    ("link", "message"),
    [("none", "has no rate"), ({"rate": "10mbit", "loss": "0.1%"}, "lose frames are not predicted; measure them")],
    ids=["unshaped", "loss"],
)
def test_links_that_cannot_be_predicted_are_refused(link: Any, message: str) -> None:
    with pytest.raises(LiecbenchError, match=message):
        predicted(["ddp"], link=link)


def test_a_compressor_that_the_profile_lacks_is_refused() -> None:
    profile = made_profile().model_copy(update={"compressors": ()})

    with pytest.raises(LiecbenchError, match="no times of the compressor sign, only of none; measure it"):
        predicted(["liec"], profile=profile)


def test_messages_far_larger_than_the_measured_ones_are_refused() -> None:
    with pytest.raises(LiecbenchError, match=r"over 16 × the largest one .* measure larger ones"):
        predicted(["psgd"], profile=made_profile([1_000_000]), costs=TransportCosts(largest_bytes=100_000))


def test_workers_that_do_not_fill_nodes_are_refused() -> None:
    with pytest.raises(LiecbenchError, match="6 workers are no whole number of nodes with 4 each"):
        predicted(["ddp"], workers=(6,), ranks_per_node=4, inner_bits_per_second=1e11)


def test_nodes_share_one_link() -> None:
    flat, nodes = (
        predicted(["ddp"], workers=(16,), link="1gbit", ranks_per_node=ranks, inner_bits_per_second=1e12).rows[0]
        for ranks in (1, 8)
    )

    # Two nodes exchange the gradient once each way; 16 workers of their own 2 · 15/16 of it.
    assert nodes.time.wire_seconds / flat.time.wire_seconds == pytest.approx(1 / (2 * 15 / 16), rel=0.05)
    assert "assumed_nodes" in nodes.flags


def test_thousands_of_workers_take_no_more_work_than_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    original = server_exchange._rank_seconds

    def counting(*arguments: Any) -> Any:
        counted.append(1)
        return original(*arguments)

    monkeypatch.setattr(server_exchange, "_rank_seconds", counting)
    numbers = []
    for workers in (8, 4096):
        counted.clear()
        predicted(["ddp", "psgd", "memsgd", "liec"], workers=(workers,), link="1gbit")
        numbers.append(len(counted))

    assert numbers[1] <= 2 * numbers[0], numbers


@pytest.mark.parametrize(
    ("rates", "is_faster", "text"),
    [
        ([1e6, 1e9], True, "faster below 1mbit and above 1gbit, slower at other rates"),
        ([1e6, 1e9], False, "faster from 1mbit to 1gbit, slower at other rates"),
        ([1e6, 1e8, 1e9], True, "faster below 1mbit and from 100mbit to 1gbit, slower at other rates"),
        ([1e6, 1e8, 1e9], False, "faster from 1mbit to 100mbit and above 1gbit, slower at other rates"),
    ],
)
def test_several_ranges_of_rates_are_named(
    rates: list[float], is_faster: bool, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor.Predictor, "crossings", lambda *_: (rates, is_faster))

    (found,) = predicted(["ddp", "psgd"], link="1gbit").break_evens

    assert (found.outcome, found.text) == ("alternating", f"{text} (rates without intervals)")


def test_a_method_without_compressor_does_not_compress() -> None:
    local = MethodTimes(algorithm={"name": "ddp"}, compressor=None, kind="step", local=1.0)
    profile = made_profile().model_copy(update={"methods": (local,)})

    found = predicted(["ddp"], profile=profile)

    assert {row.bottleneck for row in found.rows} == {"method"}
    assert [one.limited_by for one in found.bandwidths] == ["method"]


def test_assumed_compute_is_not_called_that_of_a_profile() -> None:
    (of_profile,) = predicted(["ddp"]).bandwidths
    (assumed,) = predicted(["ddp"], profile=made_profile().model_copy(update={"origin": "assumed"})).bandwidths

    assert (of_profile.compute.source, assumed.compute.source) == ("predicted", "assumed")
