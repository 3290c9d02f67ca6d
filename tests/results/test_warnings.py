from dataclasses import replace

import pytest

from liecbench.network.link_tally import LinkTally
from liecbench.results.cells import CellResult
from liecbench.results.environment_record import Environment
from liecbench.results.warnings import cell_warnings
from tests.ledgers import spec

TALLY = LinkTally(
    lost_sent_segments=(0, 0), lost_received_segments=(0, 0), dropped_frames=3, sent_frames=100, late_seconds=0.0
)


def cell(seed: int, timing: str, dropped: int) -> CellResult:
    cell = CellResult(id=f"cell{seed}", spec=spec(seed=seed, timing=timing), environment=Environment(), attempt=1)
    return replace(cell, link_tally=replace(TALLY, dropped_frames=dropped))


@pytest.mark.parametrize(("timing", "dropped"), [("interleaved", 3 + 4), ("end_to_end", 3 + 3 + 4)])
def test_frames_that_a_session_dropped_count_once_for_all_seeds(timing: str, dropped: int) -> None:
    cells = [cell(0, timing, 3), cell(1, timing, 3), cell(2, timing, 4)]  # the last seed was timed later

    assert cell_warnings(cells) == [
        f"the emulation of its link dropped {dropped} frames that it should not: its times include repetitions"
    ]
