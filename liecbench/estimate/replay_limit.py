"""The limit of a timing session in dilated time: sessions that would take longer are refused before they begin."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from liecbench.config.jobs import Session
from liecbench.errors import LiecbenchError
from liecbench.estimate.expected_profile import ExpectedProfile, ExpectedProfiles
from liecbench.estimate.machine_speed import num_cores
from liecbench.estimate.replay_cost import dilated_session, replayed_session, session_steps
from liecbench.estimate.session_cost import SessionCost
from liecbench.estimate.stand_in_profile import stand_in

_MOST_SECONDS: Final = 1200.0
# A session that takes longer than this if its ranks compute nothing may take too long if they compute.
_LONG_SECONDS: Final = _MOST_SECONDS / 4


def refuse_long_replays(sessions: Iterable[Session], directory: Path) -> None:
    """Raise LiecbenchError if dilation makes a timing session take more than 20 minutes.

    Sessions of scenarios that give a dilation may take as long as they need.

    Args:
        sessions: The sessions that are still to run.
        directory: The results directory, which may have profiles of earlier sessions.
    """
    profiles = ExpectedProfiles(directory)
    for session in sessions:
        cell = session.cell
        if cell.compute == "measured" or cell.dilation != "auto" or not cell.link.shaped:
            continue
        if cell.device == "cuda" and cell.profile is None:  # nobody knows what a GPU will compute
            continue
        # To expect a profile that is not named takes seconds, so that quick sessions are told from others without it.
        if cell.profile is None and not _takes(_LONG_SECONDS, replayed_session(session, _without_time(session))):
            continue
        expected = profiles.of(session)
        cost = replayed_session(session, expected)
        if _takes(_MOST_SECONDS, cost):
            raise LiecbenchError(_problem(session, cost), _remedy(session, cost, expected))


def _takes(seconds: float, cost: SessionCost) -> bool:
    """Return True if a session in dilated time takes longer than ``seconds``."""
    return cost.dilation is not None and cost.dilation > 1 and cost.seconds > seconds


def _without_time(session: Session) -> ExpectedProfile:
    cells = [contestant.cell for contestant in session.contestants]
    return ExpectedProfile(profile=stand_in(cells, takes_time=False), source="")


def _problem(session: Session, cost: SessionCost) -> str:
    cell, number = session.cell, len(session.contestants)
    methods = "1 method" if number == 1 else f"{number} methods"
    return (
        f"timing {methods} with {cell.workers} workers on {cell.link} would take {_minutes(cost.seconds)}, because "
        f"this machine's {num_cores()} cores can replay it only {cost.dilation} times more slowly"
    )


def _remedy(session: Session, cost: SessionCost, expected: ExpectedProfile) -> str:
    quicker = _largest_dilation(session, cost, expected)
    lower = "" if quicker is None else f", or dilation: {quicker} for rows that may be CPU-bound after 20 min"
    return (
        "take fewer methods, fewer workers, slower links or a smaller model; or write "
        f"dilation: {cost.dilation} to wait so long{lower}; liecbench predict answers without a run"
    )


def _largest_dilation(session: Session, cost: SessionCost, expected: ExpectedProfile) -> int | None:
    """Return the largest dilation at which the session takes 20 minutes at most; None if there is none."""
    assert cost.dilation is not None, "its ranks replay"
    steps = session_steps(session, expected.profile)
    low, high = 0, cost.dilation
    while high - low > 1:
        middle = (low + high) // 2
        if dilated_session(session, expected, steps, middle).seconds <= _MOST_SECONDS:
            low = middle
        else:
            high = middle
    return low or None


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
