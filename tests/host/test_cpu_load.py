import os
from dataclasses import replace

import pytest

from liecbench.host.cpu_load import Snapshot

BEFORE = Snapshot(at_seconds=10.0, ticks=1000, idle_ticks=400, stolen_ticks=10, waiting_microseconds=500_000)


def test_shares_are_of_the_time_in_between() -> None:
    after = Snapshot(at_seconds=12.0, ticks=1400, idle_ticks=500, stolen_ticks=30, waiting_microseconds=1_500_000)

    assert after.since(BEFORE) == pytest.approx({"steal": 20 / 400, "pressure": 1.0 / 2.0})


def test_a_kernel_without_pressure_tells_the_rest() -> None:
    after = replace(BEFORE, ticks=1100, at_seconds=11.0, waiting_microseconds=None)

    assert after.since(BEFORE) == {"steal": 0.0}


def test_this_machine_can_be_read() -> None:
    before = Snapshot.now()
    shares = Snapshot.now().since(before)

    assert 0 <= shares["steal"] <= 1


def test_processors_have_their_seconds() -> None:
    after = replace(BEFORE, ticks=1400, idle_ticks=500)
    second = os.sysconf("SC_CLK_TCK")

    assert after.cpu_seconds(BEFORE) == (300 / second, 400 / second)
