"""Create contestants that replay a profile, and choose how much slower than the profile all contestants run."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from liecbench.config.cell import Cell
from liecbench.config.factory import make_algorithm
from liecbench.config.jobs import Contestant, Session
from liecbench.config.training_schedule import steps_per_epoch
from liecbench.config.workload_sizes import sizes
from liecbench.host import cgroups
from liecbench.network.slowdown import Slowdown
from liecbench.worker.cell_link import CellLink
from liecbench.worker.collective_errors import ProfileError
from liecbench.worker.replay.dilation import MAX_CPU_SHARE, cpu_share, estimated_slowdown, raised
from liecbench.worker.replay.gathered import gathered
from liecbench.worker.replay.replayed_contestant import ReplayedContestant, Stage
from liecbench.worker.replay.session_profile import SessionProfile
from liecbench.worker.replay.step_kinds import StepKind, step_kinds
from liecbench.worker.replay.work_seconds import compressor_times
from liecbench.worker.session_stage import Timed

# More than a pickled number has.
_SHARE_BYTES: Final = 64


class ReplayedStage:
    """A factory of a timing session's contestants (methods to time), which replay a profile instead of computing.

    The constructor prepares the links, and chooses how much slower than the profile the contestants run. The
    constructor is collective.

    Args:
        session: The timing session.
        found: The profile to replay and its hash, equal on all ranks.
        link: This rank's link.
        heartbeat: Called to signal that this rank makes progress.
    """

    def __init__(self, session: Session, found: SessionProfile, link: CellLink, heartbeat: Callable[[], None]) -> None:
        self._session, self._link, self._heartbeat = session, link, heartbeat
        self._profile, self._sha256 = found.profile, found.sha256
        self._stage = self._settle()

    @property
    def surroundings(self) -> Mapping[str, Any]:
        """The profile's hash, as ``{"profile_sha256": hash}``, for the start records of the session's cells."""
        return {"profile_sha256": self._sha256}

    def capacity(self) -> int:
        """Return how many contestants may be in memory together: more than the session has, and at least 2.

        All contestants fit, because contestants that replay a profile hold no models.
        """
        # ``Stage.capacity`` requires at least 2, even for a session with one contestant.
        return len(self._session.contestants) + 1

    def create(self, contestant: Contestant) -> ReplayedContestant:
        """Return a contestant whose steps are ready to be replayed.

        Raises:
            ProfileError: If the profile has no times for a compressor that the method uses.
        """
        return ReplayedContestant.create(contestant, self._stage, num_steps=num_training_steps(contestant.cell))

    def compute_timer(self, timed: Iterable[Timed]) -> Callable[[], Callable[[Timed], float]]:
        """Return a function ``measure()`` that looks up compute seconds in the profile, instead of measuring them.

        The result of ``measure()`` is a function ``seconds``. ``seconds(contestant)`` returns the compute seconds of
        one step of ``contestant``.

        Args:
            timed: The contestants.
        """
        seconds = {id(one): one.compute_step_seconds for one in timed if isinstance(one, ReplayedContestant)}
        return lambda: lambda one: seconds[id(one)]

    def _settle(self) -> Stage:
        """Choose the slowdown, prepare this rank's link for it, and return a ``Stage`` for all contestants.

        If the links are not shaped, nothing is slowed down. Else the slowdown has the scenario's ``dilation``. If that
        is ``auto``, the slowdown is estimated, and its dilation is raised once if a short replay keeps the processors
        too busy.
        """
        cell = self._session.cell
        if not cell.link.shaped:
            return self._slowed(Slowdown())
        if cell.dilation != "auto":
            return self._slowed(Slowdown(dilation=cell.dilation))
        chosen = estimated_slowdown(self._methods(), self._profile, cgroups.num_cpus())
        stage = self._slowed(chosen)
        share = self._measured_share(stage)
        return self._slowed(raised(chosen, share)) if share > MAX_CPU_SHARE else stage

    def _methods(self) -> list[tuple[Cell, list[StepKind]]]:
        """Return each contestant's cell and step kinds; omit contestants with a compressor that the profile lacks."""
        methods = []
        for contestant in self._session.contestants:
            kinds = list(step_kinds(contestant.cell, self._profile, num_steps=0).values())
            with contextlib.suppress(ProfileError):  # ``create`` will raise it again
                for kind in kinds:
                    for call in kind.schedule.calls:
                        compressor_times(self._profile, call.compressor)
                methods.append((contestant.cell, kinds))
        return methods

    def _slowed(self, slowdown: Slowdown) -> Stage:
        self._link.prepare(self._session.cell.link, self._session.cell.emulator, slowdown)
        return Stage(
            profile=self._profile,
            slowdown=slowdown,
            link=self._link,
            heartbeat=self._heartbeat,
        )

    def _measured_share(self, stage: Stage) -> float:
        """Return the largest share of this machine's CPU time, from 0 to 1, that any contestant uses.

        To measure it, replay a few steps of each contestant with the slowdown of ``stage``. Collective: all ranks
        return rank 0's number.
        """
        self._link.shape()
        shares = [0.0]
        for contestant in self._session.contestants:
            with contextlib.suppress(ProfileError):  # ``create`` will raise it again
                timed = ReplayedContestant.create(contestant, stage, num_steps=0)
                share = self._probed_share(timed)
                # The first steps also connect ranks and allocate memory, which may look like a lack of processors.
                shares.append(share if share <= MAX_CPU_SHARE else self._probed_share(timed))
        self._link.unshape()
        return max(shares)

    def _probed_share(self, timed: ReplayedContestant) -> float:
        before = self._link.emulator_cpu_seconds()
        bursts = timed.probe()
        own = cpu_share(bursts, self._link.emulator_cpu_seconds() - before)
        return gathered(own, at_most_bytes=_SHARE_BYTES)[0]


def num_training_steps(cell: Cell) -> int:
    """Return the number of steps of a cell's training."""
    algorithm = make_algorithm(cell)
    return cell.task.epochs * steps_per_epoch(cell, algorithm, sizes(cell.task).num_train_samples)
