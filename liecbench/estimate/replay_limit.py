"""Refuse slowed-down timing sessions that are expected to take longer than a limit, before they begin."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from liecbench.config.jobs import Session
from liecbench.errors import LiecbenchError
from liecbench.estimate.expected_profile import ExpectedProfile, ExpectedProfiles
from liecbench.estimate.machine_speed import num_cores
from liecbench.estimate.replay_cost import replayed_session, session_steps, slowed_session
from liecbench.estimate.session_cost import SessionCost
from liecbench.estimate.stand_in_profile import stand_in
from liecbench.network.slowdown import Slowdown

_MOST_SECONDS: Final = 1200.0
# A session that takes longer than this if its ranks compute nothing may take too long if they compute.
_LONG_SECONDS: Final = _MOST_SECONDS / 4


def refuse_long_replays(sessions: Iterable[Session], directory: Path) -> None:
    """Raise LiecbenchError if any timing session with a dilation above 1 is expected to take more than 20 minutes.

    Two kinds of sessions have no limit: sessions whose scenario sets ``dilation`` to a number, and sessions on GPUs
    whose scenario names no profile.

    Args:
        sessions: The sessions that are still to run, in the order in which they run.
        directory: The results directory. If earlier sessions have stored profiles there, the estimate uses them.
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
    """Return True if a session of this ``cost`` has a dilation above 1, and takes longer than ``seconds``."""
    return cost.slowdown is not None and cost.slowdown.dilation > 1 and cost.seconds > seconds


def _without_time(session: Session) -> ExpectedProfile:
    cells = [contestant.cell for contestant in session.contestants]
    return ExpectedProfile(profile=stand_in(cells, takes_time=False), source="")


def _problem(session: Session, cost: SessionCost) -> str:
    cell, number = session.cell, len(session.contestants)
    methods = "1 method" if number == 1 else f"{number} methods"
    return (
        f"timing {methods} with {cell.workers} workers on {cell.link} would take {_minutes(cost.seconds)}, because "
        f"this machine's {num_cores()} cores can only replay it slowly ({cost.slowdown})"
    )


def _remedy(session: Session, cost: SessionCost, expected: ExpectedProfile) -> str:
    assert cost.slowdown is not None, "its ranks replay"
    dilation = cost.slowdown.dilation
    quicker = _largest_dilation(session, dilation, expected)
    # With a dilation of its own, a session sends full messages, for which that of the smaller ones may be too low.
    given = [] if cost.slowdown.message_divisor > 1 else [f"dilation: {dilation} to wait {_minutes(cost.seconds)}"]
    if quicker is not None:
        given.append(f"dilation: {quicker} for rows that may be CPU-bound after 20 min")
    write = f"; or write {', or '.join(given)}" if given else ""
    return (
        f"take fewer methods, fewer workers, slower links or a smaller model{write}; "
        "liecbench predict answers without a run"
    )


def _largest_dilation(session: Session, below: int, expected: ExpectedProfile) -> int | None:
    """Return the largest dilation under ``below`` with which the session is expected to take at most 20 minutes.

    Return None if even dilation 1 is expected to take longer. ``expected`` is the profile that the session probably
    replays.
    """
    steps = session_steps(session, expected.profile)
    low, high = 0, below
    while high - low > 1:
        middle = (low + high) // 2
        if slowed_session(session, expected, steps, Slowdown(dilation=middle)).seconds <= _MOST_SECONDS:
            low = middle
        else:
            high = middle
    return low or None


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
