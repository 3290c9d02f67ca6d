"""Tallies of the delay line: differences, and the warnings that follow from them."""

from typing import Any

import pytest

from liecbench.network.link_map import LinkMap
from liecbench.network.link_tally import LinkTally, tally_warnings

FAST = LinkMap.parse("100mbit")
DELAYED = LinkMap.parse({"rate": "100mbit", "delay": "10ms"})
DROPPED = "the emulation of its link dropped 1,003 frames that it should not: its times include repetitions"


def tally(**counts: Any) -> LinkTally:
    nothing: dict[str, Any] = {"dropped_frames": 0, "sent_frames": 0, "late_seconds": 0.0, "cpu_seconds": 0.0}
    lost = {"lost_sent_segments": (0, 0), "lost_received_segments": (0, 0)}
    return LinkTally(**nothing | lost | counts)


def test_a_tally_since_another_has_the_differences() -> None:
    earlier = tally(lost_sent_segments=(1, 2), lost_received_segments=(0, 5), sent_frames=10, late_seconds=0.5)
    later = tally(
        lost_sent_segments=(4, 2),
        lost_received_segments=(1, 7),
        dropped_frames=3,
        sent_frames=30,
        late_seconds=0.75,
        cpu_seconds=2.0,
    )

    assert later.since(earlier).as_dict() == {
        "lost_sent_segments": (3, 0),
        "lost_received_segments": (1, 2),
        "dropped_frames": 3,
        "sent_frames": 20,
        "late_seconds": 0.25,
        "cpu_seconds": 2.0,
    }


@pytest.mark.parametrize(
    ("links", "late_seconds", "late"),
    [(FAST, 0.029, None), (FAST, 0.05, "500us"), (DELAYED, 0.09, None), (DELAYED, 0.15, "1.5ms")],
)
def test_late_frames_are_warned_about(links: LinkMap, late_seconds: float, late: str | None) -> None:
    """100 frames; 0.3 ms are tolerated, or 10 % of 10 ms."""
    recorded = [tally(sent_frames=60, late_seconds=late_seconds), tally(sent_frames=40)]
    expected = f"the emulation of its link was {late} late on average: this machine cannot carry so many frames"

    assert list(tally_warnings(recorded, links, 2)) == ([expected] if late else [])


def test_dropped_frames_are_warned_about() -> None:
    recorded = [tally(dropped_frames=1000), tally(dropped_frames=3)]

    assert list(tally_warnings(recorded, FAST, 2)) == [DROPPED]
    assert list(tally_warnings([], FAST, 2)) == []
