"""Estimate the time that a run in progress still needs, from the times of its finished epochs and rounds."""

import statistics
from collections import defaultdict

from liecbench.config.jobs import Job, Session
from liecbench.estimate.expected_profile import ExpectedProfile
from liecbench.estimate.replay_cost import replayed_session
from liecbench.estimate.session_cost import session_limit
from liecbench.estimate.wire_time import wire_seconds_per_epoch
from liecbench.launch.pending import Pending
from liecbench.profiles.profile_store import known_profile


class TimeLeft:
    """An estimate of the seconds that a run still needs, which is updated while the run is in progress.

    The time of an epoch is estimated as the time that its bytes need on the links, plus an excess. The excess of a
    finished epoch is its time minus the time that its bytes need. An unfinished epoch gets the mean excess of the
    finished epochs of cells with the same method, number of workers and task. If no such epoch has finished, it
    gets the mean excess of all finished epochs.

    At first, the estimate of a timing session is the session's time limit or, if longer, the expected time to replay
    the profile that the scenario names. After the first round, the estimate follows from the finished rounds.
    """

    def __init__(self, pending: Pending) -> None:
        self._jobs = {job.cell.id: job for job in pending.jobs}
        self._kinds = {job.cell.id: _kind(job) for job in pending.jobs}
        # Compute this before the workers start, because later it would take cores away from them.
        self._wire_seconds = {job.cell.id: wire_seconds_per_epoch(job.cell) for job in pending.jobs}
        self._epochs_left = {job.cell.id: job.cell.task.epochs - job.epochs_done for job in pending.jobs}
        self._remainders: dict[str, list[float]] = defaultdict(list)
        self._current: str | None = None
        self._sessions = {session.cell.setting: _session_seconds(session) for session in pending.sessions}
        self._settings = {c.cell.id: s.cell.setting for s in pending.sessions for c in s.contestants}
        self._waiting = {s.cell.setting: {job.cell.id for job in s.jobs} for s in pending.sessions}
        self._session_begins: dict[str, float] = {}
        self._is_narrowing = False

    def start_cell(self, cell_id: str, epochs_done: int) -> None:
        """Note that training of a cell begins; earlier attempts have finished ``epochs_done`` of the cell's epochs."""
        if cell_id in self._jobs:
            self._current = cell_id
            self._epochs_left[cell_id] = self._jobs[cell_id].cell.task.epochs - epochs_done

    def finish_epoch(self, cell_id: str, seconds: float) -> None:
        """Note that an epoch of a cell was recorded, ``seconds`` after the previous record of the cell."""
        self._epochs_left[cell_id] -= 1
        self._remainders[self._kinds[cell_id]].append(max(seconds - self._wire_seconds[cell_id], 0.0))

    def begin_turn(self, cell_id: str, number: int, num_rounds: int, now: float) -> None:
        """Note that a cell's turn in a timing session begins: the cell's steps are timed now.

        Args:
            cell_id: The cell's id.
            number: The number of the round, from 1. In a round, every method has one turn.
            num_rounds: The total number of rounds that the session plans now; the number may grow.
            now: The present time, in seconds of ``time.monotonic``.
        """
        setting = self._settings.get(cell_id)
        if setting is None:  # an added link rate: nobody knows how many will follow
            self._is_narrowing = True
            return
        began = self._session_begins.setdefault(setting, now)
        self._current = None
        if number > 1:
            per_round = (now - began) / (number - 1)
            self._sessions[setting] = per_round * max(0, num_rounds - number + 1)

    def end_cell(self, cell_id: str) -> None:
        """Note that a cell has ended, completed or not."""
        self._epochs_left[cell_id] = 0
        for setting, waiting in self._waiting.items():
            waiting.discard(cell_id)
            if not waiting:
                self._sessions[setting] = 0.0

    def share_of_current(self) -> float:
        """Return the finished share of the current cell's epochs, from 0 to 1; 0 if no cell is trained now."""
        if self._current is None or not self._epochs_left[self._current]:
            return 0.0
        return 1 - self._epochs_left[self._current] / self._jobs[self._current].cell.task.epochs

    def seconds(self) -> float | None:
        """Return the estimated seconds left; None if they are not known.

        If epochs are left to train, the seconds are not known before the first epoch has ended. They are also not known
        while link rates are added to narrow break-evens.
        """
        if self._is_narrowing:
            return None
        training = {cell: epochs for cell, epochs in self._epochs_left.items() if epochs and cell in self._jobs}
        if training and not self._remainders:
            return None
        known = {kind: statistics.fmean(seconds) for kind, seconds in self._remainders.items()}
        everyone = statistics.fmean(s for seconds in self._remainders.values() for s in seconds) if known else 0.0
        total = sum(self._sessions.values())
        for cell_id, epochs_left in training.items():
            total += epochs_left * (self._wire_seconds[cell_id] + known.get(self._kinds[cell_id], everyone))
        return total


def _session_seconds(session: Session) -> float:
    """Return the expected seconds of a session that has not begun.

    A session is expected to take its time limit. But if the session replays a profile that this process has read, and
    the replay is expected to take longer than the limit, return the expected seconds of the replay.
    """
    sha256 = session.cell.profile
    profile = known_profile(sha256) if sha256 is not None and session.cell.compute == "replayed" else None
    if profile is None:
        return session_limit(session)
    expected = ExpectedProfile(profile=profile, source="the scenario's profile")
    return max(session_limit(session), replayed_session(session, expected).seconds)


def _kind(job: Job) -> str:
    """Return a key that is equal for jobs with the same algorithm, number of workers and task."""
    cell = job.cell
    return f"{cell.algorithm.name} {cell.workers} {cell.task.model_dump_json()}"
