from dataclasses import replace

import pytest

from liecbench.check.stored.baseline_cell import BaselineCell
from liecbench.check.stored.session_times import undisturbed_epochs
from tests import ledgers
from tests.check.stored_results import cell


def test_a_disturbed_burst_does_not_count() -> None:
    bursts = [
        *(ledgers.timing(kind="compressed", steps=10, least_communicate_seconds=s) for s in (0.5, 0.5, 90.0)),
        *(ledgers.timing(kind="averaging", steps=2, least_communicate_seconds=s) for s in (0.4, 0.2, 0.3)),
    ]
    timed = cell(timing="interleaved")
    timed.epochs = [replace(epoch, step_kinds={"compressed": 20, "averaging": 2}) for epoch in timed.epochs]
    timed.timings = tuple(bursts)

    # 20 steps of 0.05 s and 2 of 0.15 s
    assert [epoch.least_communicate_seconds for epoch in undisturbed_epochs(timed)] == pytest.approx([1.3, 1.3])
    assert BaselineCell.of(timed).epochs[0].least_communicate_seconds == pytest.approx(1.3)


def test_cells_that_were_timed_while_they_trained_keep_their_times() -> None:
    assert undisturbed_epochs(cell()) == cell().epochs


def test_epochs_with_a_step_kind_that_was_not_timed_keep_their_times() -> None:
    timed = cell(timing="interleaved")
    timed.epochs = [replace(epoch, step_kinds={"averaging": 22}) for epoch in timed.epochs]
    timed.timings = (ledgers.timing(kind="compressed"),)

    assert undisturbed_epochs(timed) == timed.epochs
