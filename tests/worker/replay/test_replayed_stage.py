"""Replays that need too many processors are slowed down further; tested in real process groups."""

import pytest
import torch.distributed as dist

from liecbench.config.cell import Cell
from liecbench.config.jobs import Contestant, Session
from liecbench.worker.replay.replayed_stage import ReplayedStage
from liecbench.worker.replay.session_profile import SessionProfile
from tests.distributed import run_ranks
from tests.worker.replay.test_replayed_contestant import profile
from tests.worker.small_cells import NoLink, cell


class BusyLink(NoLink):
    """A link whose emulation uses a CPU second before each of the first ``num_busy`` readings on ``busy_rank``."""

    def __init__(self, num_busy: int, busy_rank: int) -> None:
        self.num_busy, self.num_readings = num_busy if dist.get_rank() == busy_rank else 0, 0

    def prepare(self, *_: object) -> None: ...

    def emulator_cpu_seconds(self) -> float:
        self.num_readings += 1
        return float(min(self.num_readings, self.num_busy))


def dilation(num_busy: int, busy_rank: int = 0) -> tuple[int, int]:
    """Return the dilation that the ranks choose, and how often they read the CPU seconds of the emulation."""
    made = Cell.from_spec({**cell({"name": "doublesqueeze"}).spec(), "link": "1mbit", "workers": 2})
    contestant, link = Contestant(cell=made, jobs=()), BusyLink(num_busy, busy_rank)
    session = Session(contestants=(contestant,), precision=0.02)
    found = SessionProfile(profile=profile(), sha256="0" * 64)
    stage = ReplayedStage(session, found, link, lambda: None)  # type: ignore[arg-type]
    return stage.create(contestant).stage.slowdown.dilation, link.num_readings


@pytest.fixture(scope="module")
def idle() -> tuple[int, int]:
    (chosen, readings), second = run_ranks(dilation, 2, 0)
    assert (chosen, readings) == second
    return chosen, readings


def test_a_method_that_seems_busy_only_at_first_is_probed_again(idle: tuple[int, int]) -> None:
    # A probe has as many readings as are needed without work.
    assert run_ranks(dilation, 2, idle[1]) == [(idle[0], 2 * idle[1])] * 2


def test_a_method_that_is_busy_twice_is_slowed_down(idle: tuple[int, int]) -> None:
    (first, readings), (second, _) = run_ranks(dilation, 2, 10**6)

    assert (first > idle[0], first, readings) == (True, second, 2 * idle[1])


def test_all_ranks_take_the_share_of_rank_0(idle: tuple[int, int]) -> None:
    assert run_ranks(dilation, 2, 10**6, 1) == [idle] * 2
