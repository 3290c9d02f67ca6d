import math

import pytest

from liecbench.prediction.variants import crossing, interval


def test_effects_of_independent_errors_add_as_squares() -> None:
    found = interval([10.0, 10.0 * math.exp(0.03), 10.0 * math.exp(-0.04)])

    assert found.high == pytest.approx(10 * math.exp(1.96 * 0.05))
    assert found.low == pytest.approx(10 * math.exp(-1.96 * 0.05))


def test_a_crossing_is_found_on_a_logarithmic_scale() -> None:
    assert crossing(lambda x: x - 12_345, 1, 1e12) == pytest.approx(12_345, rel=0.005)
