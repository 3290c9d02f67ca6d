"""A timing session of ``liecbench run``: methods on the same link are in memory together, and are timed in turns.

Such a method is called a contestant. In a round, every contestant has one turn, in random order. In its turn, a
contestant trains one burst of consecutive steps for each of its step kinds, such as steps with and without averaging.

After a few rounds, all contestants are created again, in another order. The time of a step depends on the placement of
data and code in memory, so a single placement would favour some methods.
"""

import random
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist

from liecbench.algorithms.base import NonFiniteError
from liecbench.config.jobs import Contestant, Session
from liecbench.host.punctuality import punctual
from liecbench.results.ledger_reader import read
from liecbench.results.timing_record import Timing
from liecbench.worker import environment, session_groups
from liecbench.worker.backend_variables import Backend
from liecbench.worker.burst_record import Turn
from liecbench.worker.cell_link import CellLink
from liecbench.worker.collective_errors import DataError, LinkError, ProfileError
from liecbench.worker.event_writer import RecordWriter
from liecbench.worker.session_records import record_ends, record_starts
from liecbench.worker.session_rounds import FIRST_ROUNDS, PLACEMENT_ROUNDS, RoundPlan
from liecbench.worker.session_stage import Stage, Timed, TrainedStage

T = TypeVar("T")
# Errors that every rank raises at the same point. The contestant that raises one leaves the session, which goes on.
_DROPPING = (NonFiniteError, LinkError, DataError, ProfileError)


def run_session(
    session: Session, directory: Path, link: CellLink, writer: RecordWriter | None, backend: Backend, *, trace: bool
) -> None:
    """Time the steps of all contestants (methods) of a timing session, in turns. Collective.

    Rank 0 records each burst (a series of timed steps), and the start and the end of each cell (one configuration with
    one seed) that this session completes. A cell is recorded as failed if its contestant fails to train, or if a link's
    rate is too far from the requested rate.

    Args:
        session: The session.
        directory: The results directory; only rank 0 uses it.
        link: This rank's link.
        writer: The ledger's writer on rank 0; None on other ranks.
        backend: The launch's backend.
        trace: Whether to write a timeline of a few steps of each contestant.
    """
    torch.set_num_threads(session.cell.threads)
    with punctual() if session.cell.compute == "replayed" else nullcontext():
        _run_session(session, directory, link, writer, backend, trace=trace)


def _run_session(
    session: Session, directory: Path, link: CellLink, writer: RecordWriter | None, backend: Backend, *, trace: bool
) -> None:
    heartbeat = writer.heartbeat if writer is not None else lambda: None
    contestants = list(session.contestants)
    stage = _stage(session, directory, link, heartbeat)
    described = environment.describe(session.cell, backend, link)
    if writer is not None:
        record_starts(session, {**described, "timing_precision": session.precision, **stage.surroundings}, writer)
    try:
        link.check()
        capacity = stage.capacity()
    except LinkError as error:
        for contestant in contestants:
            record_ends(contestant, link, writer, "failed", str(error))
        return
    timings = _timings(directory, session.cell.setting) if writer is not None else []
    dropped: list[Contestant] = []
    for members in session_groups.groups(contestants, capacity):
        group = _Group(session=session, stage=stage, link=link, writer=writer, timings=timings)
        group.live = [contestant for contestant in members if contestant not in dropped]
        group.run(directory / "traces" if trace else None)
        dropped += [contestant for contestant in members if contestant not in group.live]
        for contestant in group.live:
            if contestant is not contestants[0]:
                record_ends(contestant, link, writer, "completed", None)
    if contestants[0] not in dropped:  # the first contestant is in every group
        record_ends(contestants[0], link, writer, "completed", None)


@dataclass(slots=True, kw_only=True)
class _Group:
    """Contestants (methods to time) that are in memory together, and whose steps are timed in turns.

    Attributes:
        session: The session.
        stage: Creates the contestants.
        link: This rank's link.
        writer: The ledger's writer on rank 0; None on other ranks.
        timings: The records of all bursts (series of timed steps) of this session so far. On rank 0, also those of
            earlier sessions whose methods are compared with this session's.
        live: The contestants that have not failed.
    """

    session: Session
    stage: Stage
    link: CellLink
    writer: RecordWriter | None
    timings: list[Timing]
    live: list[Contestant] = field(default_factory=list)
    _rounds_done: int = field(default=0, init=False)
    _rounds: int = field(default=FIRST_ROUNDS, init=False)
    _seconds: float = field(default=0.0, init=False)
    _plan: RoundPlan = field(init=False)

    def __post_init__(self) -> None:
        self._plan = RoundPlan(precision=self.session.precision)

    def run(self, traces: Path | None) -> None:
        """Time rounds until speed-ups are precise enough or the time limit is reached.

        The contestants (methods to time) are created before the first round, and again after every few rounds.

        ``traces`` is the directory for timelines of the contestants' steps; None for no timelines.
        """
        placement = _from_rank_0(lambda: max((timing.placement for timing in self.timings), default=-1) + 1)
        while self._rounds_done < self._rounds and self.live:
            order = random.Random(f"{self.session.cell.setting} {placement}")  # noqa: S311 - no secret
            began = time.monotonic()
            self._place(placement, order, traces)
            self._seconds += time.monotonic() - began
            placement, traces = placement + 1, None
            self._rounds = _from_rank_0(self._rounds_in_total)

    def _place(self, placement: int, order: random.Random, traces: Path | None) -> None:
        """Create the contestants (methods to time) in memory, time them in turns for a few rounds, and close them.

        Args:
            placement: The number of this call, recorded with each burst (series of timed steps). Calls are numbered
                from 0, through all groups and sessions whose methods are compared with each other.
            order: RNG for the order in which contestants are created and take turns.
            traces: The directory for timelines of the contestants' steps; None for no timelines.
        """
        created = [self._create(contestant) for contestant in order.sample(self.live, len(self.live))]
        residents = [resident for resident in created if resident is not None]
        measure_compute = self.stage.compute_timer(residents)
        # There is no cleanup after an exception, because only this rank raised it, and its peers would never join.
        self.link.shape()
        for number in range(min(PLACEMENT_ROUNDS, self._rounds - self._rounds_done)):
            compute_seconds = measure_compute()
            for place, resident in enumerate(order.sample(residents, len(residents))):
                turn = Turn(
                    setting=self.session.cell.setting,
                    contestant=resident.contestant.cell.contestant,
                    placement=placement,
                    round=number,
                    order=place,
                    compute_step_seconds=compute_seconds(resident),
                )
                if not self._take_turn(resident, turn):
                    residents.remove(resident)
            self._rounds_done += 1
        if traces is not None:
            for resident in residents:
                self._trace(resident, traces)
        self.link.unshape()
        for resident in residents:
            resident.close()

    def _create(self, contestant: Contestant) -> Timed | None:
        self._tell(contestant)
        try:
            return self.stage.create(contestant)
        except _DROPPING as error:
            self._drop(contestant, error)
            return None

    def _take_turn(self, resident: Timed, turn: Turn) -> bool:
        """Time a contestant for one turn, and record the bursts. Return False if the contestant fails, else True.

        A burst is a series of consecutive steps. A contestant that fails is removed from ``live``, and closed.
        """
        self._tell(resident.contestant)
        try:
            bursts = list(resident.turn(turn))
        except _DROPPING as error:
            self._drop(resident.contestant, error)
            resident.close()
            return False
        self.timings += bursts
        for burst in bursts if self.writer is not None else ():
            assert self.writer is not None
            self.writer.record(burst)
        return True

    def _trace(self, resident: Timed, traces: Path) -> None:
        problem = resident.trace(traces / f"{resident.contestant.cell.id}.json")
        if problem is not None and self.writer is not None:
            self.writer.notice(problem)

    def _drop(self, contestant: Contestant, error: Exception) -> None:
        self.live.remove(contestant)
        message = f"its steps could not be timed: {error}"
        record_ends(contestant, self.link, self.writer, "failed", message)

    def _tell(self, contestant: Contestant) -> None:
        if self.writer is not None:
            self.writer.turn(contestant.cell.id, self._rounds_done + 1, self._rounds)

    def _rounds_in_total(self) -> int:
        if not self.live:
            return self._rounds_done
        contestants = [contestant.cell.contestant for contestant in self.live]
        return self._plan.total(self.timings, contestants, rounds_done=self._rounds_done, seconds=self._seconds)


def _stage(session: Session, directory: Path, link: CellLink, heartbeat: Callable[[], None]) -> Stage:
    """Return the factory that creates the methods to time (contestants) on this rank. Collective.

    If ``compute`` of the session's cells is ``replayed``, the contestants replay a profile. Otherwise they train.

    Args:
        session: The timing session.
        directory: The results directory, which stores the profile. Not used if the contestants train.
        link: This rank's link.
        heartbeat: Called to signal that this rank makes progress.
    """
    if session.cell.compute == "measured":
        return TrainedStage(session, link, heartbeat)
    from liecbench.worker.replay.replayed_stage import ReplayedStage
    from liecbench.worker.replay.session_profile import session_profile

    return ReplayedStage(session, session_profile(session, directory, heartbeat), link, heartbeat)


def _timings(directory: Path, setting: str) -> list[Timing]:
    return [record for record in read(directory) if isinstance(record, Timing) and record.setting == setting]


def _from_rank_0(value: Callable[[], T]) -> T:
    """Call ``value`` on rank 0 only, and return its result on every rank. Collective."""
    values = [value() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(values, src=0)
    (found,) = values
    return found  # type: ignore[return-value]
