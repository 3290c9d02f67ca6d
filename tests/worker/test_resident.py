"""Contestants of a timing session on real ranks."""

from typing import Final

import pytest

from liecbench.config.jobs import Contestant
from liecbench.results.timing_record import Timing
from liecbench.worker.burst_record import Turn
from liecbench.worker.resident import Resident
from tests.distributed import run_ranks
from tests.worker.small_cells import NoLink, cell

PERIOD: Final = 6
PLACE: Final = Turn(setting="s", contestant="c", placement=0, round=0, order=0, compute_step_seconds=1e-4)


def timed() -> list[Timing]:
    """Time a method two of whose steps send while others compute, for one turn."""
    diloco = {"name": "diloco", "sync_every": PERIOD, "fragments": 2, "delay": 2}
    made = cell(diloco).model_copy(update={"compressor": None})
    resident = Resident.create(Contestant(cell=made, jobs=()), NoLink(), lambda: None)
    bursts = list(resident.turn(PLACE))
    numel = sum(parameter.numel() for parameter in resident.replica.model.parameters())
    resident.close()
    (per_step,) = {burst.payload_bytes["sent"][0] / burst.steps for burst in bursts}
    # Between two ranks, each sends half of the model to the other's server, and its mean of the other half.
    assert per_step == pytest.approx(4 * numel / PERIOD, rel=0.01)
    return bursts


def test_steps_that_overlap_are_timed_in_whole_periods_and_every_kind_has_their_mean() -> None:
    bursts = run_ranks(timed, 2)[0]

    assert [(burst.kind, burst.kind_share) for burst in bursts] == [
        ("outer_0", pytest.approx(1 / 6)),
        ("local", pytest.approx(4 / 6)),
        ("outer_1", pytest.approx(1 / 6)),
    ]
    assert len({(burst.steps, burst.seconds) for burst in bursts}) == 1
    assert bursts[0].steps % PERIOD == 0
