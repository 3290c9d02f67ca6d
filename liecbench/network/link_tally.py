"""Counts kept by the process that emulates links: intended losses, dropped frames, and lateness."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from annotated_types import Ge, Le

from liecbench.network.link_map import LinkMap
from liecbench.network.quantity import DELAY

Count = Annotated[int, Ge(0), Le(2**63 - 1)]
_TOLERATED_SECONDS: Final = 0.3e-3
_TOLERATED_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTally:
    """Counts kept by the delay line, the process that emulates links.

    Counting begins at the start of the process. In a tally that ``since`` returned, it begins at the earlier tally.

    Attributes:
        lost_sent_segments: For each rank, the number of segments lost on the way up because of the link's ``loss``.
        lost_received_segments: For each rank, the number of segments lost on the way down because of the link's
            ``loss``.
        dropped_frames: Frames of all ranks that were dropped although no loss was due, for example because the socket's
            ring buffer was full.
        sent_frames: Frames sent to ranks and to the hub.
        late_seconds: Seconds from the time at which a frame was due until it was sent, summed over all sent frames. A
            frame that was sent early adds nothing.
        cpu_seconds: CPU seconds of the delay line's process; 0 in records of earlier versions.
    """

    lost_sent_segments: tuple[Count, ...]
    lost_received_segments: tuple[Count, ...]
    dropped_frames: Count
    sent_frames: Count
    late_seconds: Annotated[float, Ge(0), Le(1e15)]
    cpu_seconds: Annotated[float, Ge(0), Le(1e15)] = 0.0

    def since(self, earlier: "LinkTally") -> "LinkTally":
        """Return these counts minus ``earlier``, the counts of the same delay line at an earlier time."""
        return LinkTally(
            lost_sent_segments=_differences(self.lost_sent_segments, earlier.lost_sent_segments),
            lost_received_segments=_differences(self.lost_received_segments, earlier.lost_received_segments),
            dropped_frames=self.dropped_frames - earlier.dropped_frames,
            sent_frames=self.sent_frames - earlier.sent_frames,
            late_seconds=self.late_seconds - earlier.late_seconds,
            cpu_seconds=self.cpu_seconds - earlier.cpu_seconds,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the values of all fields, by name, such as ``sent_frames``."""
        return dataclasses.asdict(self)


def _differences(later: tuple[int, ...], earlier: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(new - old for new, old in zip(later, earlier, strict=True))


def tally_warnings(recorded: Sequence[LinkTally], links: LinkMap, num_workers: int) -> Iterator[str]:
    """Yield a warning if frames were dropped, and one if the mean lateness of frames is too large.

    The lateness is too large if it is above 0.3 ms and above 10 % of the links' shortest delay.

    Args:
        recorded: The recorded tallies; empty if the links were not emulated by a process that delays frames.
        links: The links that the scenario asks for.
        num_workers: The number of workers.
    """
    if not recorded:
        return
    if dropped := sum(tally.dropped_frames for tally in recorded):
        yield f"the emulation of its link dropped {dropped:,} frames that it should not: its times include repetitions"
    delay = min(links.of(rank).delay_seconds for rank in range(num_workers))
    late = sum(tally.late_seconds for tally in recorded) / max(1, sum(tally.sent_frames for tally in recorded))
    if late > max(_TOLERATED_SHARE * delay, _TOLERATED_SECONDS):
        by = DELAY.format(round(late, 5))
        yield f"the emulation of its link was {by} late on average: this machine cannot carry so many frames"
