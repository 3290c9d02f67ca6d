import math

import pytest

from liecbench.prediction.transport_costs import TransportCosts
from tests.prediction.made_predictions import predicted
from tests.prediction.made_profiles import made_profile


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


def test_assumed_compute_is_not_called_that_of_a_profile() -> None:
    (of_profile,) = predicted(["ddp"]).bandwidths
    (assumed,) = predicted(["ddp"], profile=made_profile().model_copy(update={"origin": "assumed"})).bandwidths

    assert (of_profile.compute.source, assumed.compute.source) == ("predicted", "assumed")


@pytest.mark.parametrize("compress", [1e-9, 4e-9, 5e-9, 6e-9])
def test_bounds_rise_with_the_utilization(compress: float) -> None:
    # Near the highest utilization, the rate depends much on the inputs: at 5e-9 s per element, the interval of the rate
    # for 75 % began at a twelfth of that for 50 %.
    profile = made_profile([100_000], compress=compress, spread=0.02)
    for method in predicted(["ddp", "liec", "doublesqueeze"], (16,), "1gbit", profile, TransportCosts()).bandwidths:
        reached = [rate for rate in method.rates if rate.is_reached]
        lows = [rate.low_bits_per_second for rate in reached if rate.low_bits_per_second is not None]
        highs = [rate.high_bits_per_second for rate in reached if rate.high_bits_per_second is not None]

        assert lows == sorted(lows)
        assert highs == sorted(highs)
