import statistics

import pytest
from scipy import stats

from liecbench.worker.timed_kinds import TimedKind, half_width
from tests.worker.rank_measurements import measurement


def test_the_interval_of_a_mean_is_students_t() -> None:
    values = [1.0, 1.2, 0.9, 1.1, 1.3]
    low, high = stats.t.interval(0.95, len(values) - 1, statistics.fmean(values), stats.sem(values))

    assert (high - low) / 2 == pytest.approx(half_width(values))


@pytest.mark.parametrize(
    ("seconds", "count", "expected"),
    [
        ([1.0] * 8, 100, True),
        ([1.0, 1.02] * 4, 100, True),
        ([1.0, 1.2] * 4, 100, False),
        ([1.0, 1.2] * 4, 8, True),
        ([1.0, 1.2] * 4, 9, False),
    ],
)
def test_a_kind_is_precise_at_two_percent_or_when_timed_in_full(
    seconds: list[float], count: int, expected: bool
) -> None:
    kind = TimedKind(count=count, ranks=[measurement([0.5] * 8), measurement(seconds)])

    assert expected == kind.is_precise
