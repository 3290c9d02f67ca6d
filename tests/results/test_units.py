from liecbench.results.statistics import Estimate
from liecbench.results.units import RATIO, SECONDS


def test_an_interval_is_shown_by_half_of_its_width() -> None:
    assert SECONDS.text(Estimate(mean=0.918, low=0.898, high=0.938)) == "0.918 ±0.02"


def test_an_interval_as_wide_as_rounding_is_not_shown() -> None:
    three_times = 0.1 + 0.2 + 0.3

    assert SECONDS.text(Estimate.of([three_times / 3, 0.2, 0.2])) == "0.2"
    assert RATIO.text(Estimate(mean=11.5, low=11.5 - 1e-12, high=11.5 + 1e-12)) == "11.5×"
