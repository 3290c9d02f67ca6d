from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.host.gpu_sampler import combined


def test_gpus_are_added_up_or_averaged() -> None:
    first = {"energy_joules": 1.0, "power_watts": 2.0, "pcie_sent_bytes": 3.0, "peak_memory_bytes": 9.0}
    second = {"energy_joules": 10.0, "power_watts": 20.0, "pcie_sent_bytes": 30.0, "peak_memory_bytes": 4.0}
    first |= {"utilisation": 0.5, "sm_clock_hertz": 1e9, "throttled_share": 0.5, "throttled_power_cap_share": 0.5}
    second |= {"utilisation": 0.7, "sm_clock_hertz": 2e9, "throttled_share": 0.0}
    actual = combined([first, second])

    assert actual == {
        "energy_joules": 11.0,
        "power_watts": 22.0,
        "pcie_sent_bytes": 33.0,
        "peak_memory_bytes": 9.0,
        "utilisation": 0.6,
        "sm_clock_hertz": 1.5e9,
        "throttled_share": 0.25,
        "throttled_power_cap_share": 0.25,
    }


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], None),
        ([None], None),
        ([{"energy_joules": 1.0}, None], None),
        ([{"energy_joules": 1.0, "utilisation": 0.5}, {"utilisation": 0.5}], {"utilisation": 0.5}),
        ([{"throttled_share": 1.0, "throttled_power_cap_share": 1.0}, {}], {}),
    ],
)
def test_no_sum_is_made_of_what_is_missing(parts: list[Any], expected: Any) -> None:
    assert expected == combined(parts)


FIGURES = st.fixed_dictionaries({name: st.floats(0, 1e6) for name in ("energy_joules", "peak_memory_bytes")})


@given(st.lists(FIGURES, min_size=1, max_size=5))
def test_one_machine_is_combined_as_its_gpus_are(parts: list[dict[str, float]]) -> None:
    whole = combined(parts)
    halves = combined([combined(parts[:1]), combined(parts[1:])] if len(parts) > 1 else parts)

    assert whole == pytest.approx(halves)
