"""Estimate the seconds of timing sessions and of a whole run before it begins."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from liecbench.config.jobs import Session
from liecbench.estimate.expected_profile import ExpectedProfiles
from liecbench.estimate.replay_cost import replayed_session
from liecbench.estimate.session_cost import SessionCost, computing_session

# Seconds, measured on 2 cores, that the command takes to start, and to compare the results at the end.
COMMAND_SECONDS: Final = 3.0


def session_costs(sessions: Sequence[Session], directory: Path) -> list[SessionCost]:
    """Return the expected rounds, steps and seconds of each session, in the order of ``sessions``.

    Args:
        sessions: A run's sessions, in the order in which they run.
        directory: The results directory, in which earlier sessions may have stored profiles.

    Raises:
        LiecbenchError: If a profile cannot be read, or if a model has more parameters than a profile may have.
        ProfileError: If a profile has no times for a compressor that a method uses.
    """
    profiles = ExpectedProfiles(directory)
    return [
        computing_session(one) if one.cell.compute == "measured" else replayed_session(one, profiles.of(one))
        for one in sessions
    ]
