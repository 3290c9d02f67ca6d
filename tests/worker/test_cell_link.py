"""The link of a cell on several ranks."""

from collections.abc import Callable

import torch.distributed as dist

from liecbench.network.link_map import LinkMap
from liecbench.network.link_tally import LinkTally
from liecbench.network.mechanism import Emulator, UsedEmulator
from liecbench.worker.cell_link import CellLink
from liecbench.worker.process_pacing import ProcessPacing
from tests.distributed import run_ranks


class _CountingDelayLine(ProcessPacing):
    """A delay line that works for some ranks, and counts another lost and two more sent frames whenever it is asked."""

    def __init__(self, working: list[int]) -> None:
        super().__init__()
        self._working, self._asked = working, 0

    def choose(  # type: ignore[override]
        self, links: LinkMap, num_workers: int, emulator: Emulator, on_all: Callable[[bool], bool] = bool
    ) -> UsedEmulator:
        return "delay_line" if on_all(dist.get_rank() in self._working) else "tbf"

    def tally(self) -> LinkTally:  # type: ignore[override]
        self._asked += 1
        lost = (self._asked, 0)
        return LinkTally(
            lost_sent_segments=lost,
            lost_received_segments=(0, 0),
            dropped_frames=0,
            sent_frames=2 * self._asked,
            late_seconds=0.0,
        )


def _prepare(working: list[int]) -> list[object]:
    link = CellLink(_CountingDelayLine(working))
    link.prepare(LinkMap.parse("100mbit"))
    tally, again = link.tally(), link.tally()
    link.prepare(LinkMap.parse("100mbit"))
    counts = [None if counted is None else counted["sent_frames"] for counted in (tally, again, link.tally())]
    return [link.describe()["emulator"], *counts]


def test_all_ranks_use_the_same_emulator_and_count_from_the_start_of_a_cell() -> None:
    assert run_ranks(_prepare, 2, [0, 1]) == [["delay_line", 2, 4, 2]] * 2
    assert run_ranks(_prepare, 2, [0]) == [["tbf", None, None, None]] * 2
