import pytest

from liecbench.estimate.machine_speed import processes_now


@pytest.mark.parametrize(
    ("load_average", "busy_cores", "expected"),
    [
        (3.0, 1.2, 1.2),  # some of what computed in the last minute has ended
        (3.0, 0.1, 0.0),  # all of it has ended
        (0.8, 1.5, 0.8),  # a short burst
        (6.0, 2.0, 6.0),  # six processes share two cores
        (0.3, 0.3, 0.0),  # the background of any machine
    ],
)
def test_processes_that_compute_now(load_average: float, busy_cores: float, expected: float) -> None:
    assert processes_now(load_average, busy_cores, 2) == expected
