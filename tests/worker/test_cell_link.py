"""The link of a cell on several ranks."""

from collections.abc import Callable, Sequence

import torch.distributed as dist

from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap
from liecbench.network.link_tally import LinkTally
from liecbench.network.measurement import MeasuredLink
from liecbench.network.mechanism import Emulator, UsedEmulator
from liecbench.worker import cell_link
from liecbench.worker.cell_link import CellLink
from liecbench.worker.collective_errors import LinkError
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
            cpu_seconds=self._asked,
        )


def _prepare(working: list[int]) -> list[object]:
    link = CellLink(_CountingDelayLine(working))
    link.prepare(LinkMap.parse("100mbit"))
    tally, again = link.tally(), link.tally()
    link.prepare(LinkMap.parse("100mbit"))
    counts = [None if counted is None else counted.sent_frames for counted in (tally, again, link.tally())]
    return [link.describe()["emulator"], *counts, link.emulator_cpu_seconds()]


def test_all_ranks_use_the_same_emulator_and_count_from_the_start_of_a_cell() -> None:
    assert run_ranks(_prepare, 2, [0, 1]) == [["delay_line", 2, 4, 2, 6]] * 2
    assert run_ranks(_prepare, 2, [0]) == [["tbf", None, None, None, 0.0]] * 2


class _Disturbed(ProcessPacing):
    """Shaped links whose measurements on rank 1 are these shares of the rate of the link, and then the rate."""

    def __init__(self, shares: Sequence[float]) -> None:
        super().__init__()
        self.left, self.number = list(shares), 0

    def measure(self, link: Link) -> MeasuredLink:  # type: ignore[override]
        self.number += 1
        share = self.left.pop(0) if self.left and dist.get_rank() else 1.0
        down = share * link.down_bits_per_second
        return MeasuredLink(
            up_bits_per_second=link.up_bits_per_second, down_bits_per_second=down, round_trip_seconds=0.0
        )


def _measure_again(series: Sequence[Sequence[float]]) -> list[tuple[int, str | None, float]]:
    """Return for each series the number of measurements, the check's error, and the share measured on rank 1."""
    cell_link._PAUSE_SECONDS = 0.0
    found = []
    for shares in series:
        shaper = _Disturbed(shares)
        link = CellLink(shaper)
        link.prepare(LinkMap.parse("100mbit"))
        error = None
        try:
            link.check()
        except LinkError as failed:
            error = str(failed)
        assert link.measured is not None
        found.append((shaper.number, error, round(link.measured[1].down_bits_per_second / 100e6, 6)))
    return found


def test_links_are_measured_again_before_they_fail_a_cell() -> None:
    off = (
        "the link is off by more than 15% of its rate or 30% of its round trip: "
        "rank 1 down: asked 100mbit, measured 84mbit (-16%)"
    )
    expected: dict[tuple[float, ...], tuple[int, str | None, float]] = {
        (): (1, None, 1.0),
        (0.9,): (2, None, 1.0),
        # Three measurements were off by enough for a warning, which is no reason to go on.
        (0.9, 0.86, 0.88): (3, None, 0.9),
        (0.7, 0.8, 0.82, 0.7, 0.84, 0.9): (6, None, 0.9),
        (0.84,) * 20: (10, off, 0.84),
    }

    assert run_ranks(_measure_again, 2, list(expected)) == [list(expected.values())] * 2
