import math

import pytest

from liecbench.prediction import predictor
from liecbench.prediction.assumed_profile import assumed_profile
from liecbench.prediction.predicted_break_even import PredictedBreakEven
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.profiles.profile import MethodTimes, Profile
from tests.prediction.made_predictions import predicted
from tests.prediction.made_profiles import made_profile

NO_MESSAGES = TransportCosts(
    message_seconds=0.0, segment_seconds=0.0, step_seconds=0.0, message_spread=0.0, rate_spread=0.0
)


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
    crossings = iter([(rates, True) for rates in (*varied, *[varied[0]] * 5)])
    monkeypatch.setattr(predictor.Predictor, "crossings", lambda *_: next(crossings))

    (found,) = predicted(["ddp", "psgd"], link="1gbit").break_evens

    assert (found.outcome, found.bits_per_second is not None) == (outcome, outcome == "below")
    assert found.text.startswith("faster below 1gbit" if outcome == "below" else "not known at which rates")


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


def test_ranges_of_rates_that_the_errors_of_the_inputs_do_not_leave_are_not_named() -> None:
    # psgd is faster than ddp by less than 1 % from 30.4 to 31.8 Gbit/s, and at no such rate if messages take longer.
    profile = assumed_profile(30_000_000, 0.15)

    (found,) = predicted(["ddp", "psgd"], (8,), "1gbit", profile, TransportCosts()).break_evens

    assert (found.outcome, found.alternating) == ("unclear", ())
    assert found.text.endswith("not known at which higher rates, because the times differ too little")


def test_a_step_of_two_minibatches_saves_half_of_the_messages_at_every_rate() -> None:
    # Both send two rounds of signs per step; one of them computes two minibatches for it.
    every, accumulating = "neolithic", "neolithic:accumulate=true"

    (found,) = predicted([every, accumulating], link="1gbit").break_evens

    assert found.method.algorithm.options["accumulate"] is True
    assert (found.outcome, found.bits_per_second) == ("always", None)


def with_own_work(spread: float | None, **seconds: float) -> Profile:
    times = [
        MethodTimes(algorithm={"name": name}, kind="step", local=own, spread=spread) for name, own in seconds.items()
    ]
    return made_profile([1_000_000]).model_copy(update={"methods": tuple(times)})


def own_work_of_16_bits(spread: float | None, bf16: float) -> PredictedBreakEven:
    profile = with_own_work(spread, ddp=1e-3, ddp_bf16=bf16)
    (found,) = predicted(["ddp", "ddp_bf16"], link="1gbit", profile=profile, costs=NO_MESSAGES).break_evens
    return found


def test_an_interval_covers_the_errors_of_both_methods_own_work() -> None:
    # ddp_bf16 saves 2 MB at 1.068 wire bytes per byte, and loses 1 ms of own work: equal at 17.1 Gbit/s. Half an
    # interquartile range of 0.02 ms is a standard error of 0.0297 ms, and each of the two changes 1 ms by that.
    found, known = (own_work_of_16_bits(spread, 2e-3).bits_per_second for spread in (2e-5, 0.0))

    assert found is not None
    assert known is not None
    error = 0.02 / 0.6745
    width = 1.96 * math.hypot(math.log(1 + error), math.log(1 - error))
    assert found.mean == pytest.approx(8 * 2_000_000 * 1.068 / 1e-3, rel=0.02)
    assert math.log((found.high or 0) / found.mean) == pytest.approx(width, rel=0.15)
    assert math.log((known.high or 0) / known.mean) < width / 5


@pytest.mark.parametrize("spread", [1e-4, None])
def test_own_work_that_differs_by_less_than_its_spread_gives_no_break_even(spread: float | None) -> None:
    found = own_work_of_16_bits(spread, 1.001e-3)

    # 1.96 standard errors of the difference, each of 0.148 ms (or 10 % of 1 ms), are saved at this rate.
    error = 1e-4 / 0.6745 if spread else 1e-4
    rate = 8 * 2_000_000 * 1.068 / (1.96 * math.sqrt(2) * error)
    assert (found.outcome, found.bits_per_second) == ("unclear", None)
    assert found.surely_below == pytest.approx(rate, rel=0.05)
    assert found.text.endswith("; not known at which higher rates, because the times differ too little")


def test_a_method_whose_own_work_seems_shorter_by_less_than_its_spread_is_not_always_faster() -> None:
    found = own_work_of_16_bits(1e-4, 0.9e-3)

    assert found.outcome == "unclear"
    assert found.text.endswith("; not known at which higher rates, because the times differ too little")
    assert own_work_of_16_bits(1e-5, 0.9e-3).outcome == "always"
