from dataclasses import replace

import pytest

from liecbench.host.cpu_load import CpuLoad

BEFORE = CpuLoad(
    at_seconds=10.0,
    total_seconds=10.0,
    idle_seconds=4.0,
    interrupt_seconds=1.0,
    stolen_seconds=0.1,
    waiting_seconds=0.5,
)


def test_shares_are_of_the_time_in_between() -> None:
    after = replace(
        BEFORE, at_seconds=12.0, total_seconds=14.0, idle_seconds=5.0, stolen_seconds=0.3, waiting_seconds=1.5
    )

    assert after.since(BEFORE) == pytest.approx({"steal": 0.2 / 4.0, "pressure": 1.0 / 2.0})


def test_a_kernel_without_pressure_tells_the_rest() -> None:
    after = replace(BEFORE, total_seconds=11.0, at_seconds=11.0, waiting_seconds=None)

    assert after.since(BEFORE) == {"steal": 0.0}


def test_the_load_of_this_machine_is_read() -> None:
    before = CpuLoad.now()
    shares = CpuLoad.now().since(before)

    assert 0 <= shares["steal"] <= 1


def test_processors_have_their_seconds() -> None:
    after = replace(BEFORE, total_seconds=14.0, idle_seconds=5.0, interrupt_seconds=1.5)

    # Of 4 s, 1 s was idle and 0.5 s went to interrupts.
    assert after.cpu_seconds(BEFORE) == (2.5, 4.0)
