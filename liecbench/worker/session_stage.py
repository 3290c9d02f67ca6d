"""Create the contestants (methods to time) of a timing session. A contestant trains, or it replays a profile."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from liecbench.config.jobs import Contestant, Session
from liecbench.results.timing_record import Timing
from liecbench.worker import compute_alone, session_groups
from liecbench.worker.burst_record import Turn
from liecbench.worker.cell_link import CellLink
from liecbench.worker.resident import Resident


class Timed(Protocol):
    """A contestant (method to time) that exists on this rank, ready to be timed."""

    @property
    def contestant(self) -> Contestant:
        """The method to time."""

    def turn(self, place: Turn) -> Iterator[Timing]:
        """Time each step kind of the method, and yield one record per kind, equal on all ranks. Collective.

        A record usually has the times of steps of its own kind. In training (not in a replay), the kinds cannot be
        timed separately if messages are in flight while later steps compute: all records then have the same times.

        Args:
            place: The position of this turn in the session. The records store this position.
        """

    def trace(self, path: Path) -> str | None:
        """Write a timeline of a few steps to ``path`` on rank 0. Collective.

        Return an error message if the timeline cannot be written; otherwise return None.
        """

    def close(self) -> None:
        """Release the contestant's memory, thread and process group. Collective."""


class Stage(Protocol):
    """A factory of a timing session's contestants (methods to time). Its construction prepares the links."""

    @property
    def surroundings(self) -> Mapping[str, Any]:
        """Extra facts of the environment, which the start record of each of the session's cells stores.

        If the contestants replay a profile, the only fact is ``profile_sha256``, the hash of the profile. If the
        contestants train, the mapping is empty.
        """

    def capacity(self) -> int:
        """Return the number of contestants that may be in memory at the same time, at least 2. Collective.

        The number is 2 even if fewer fit. Every later contestant is compared with the first contestant, and both must
        be in memory for the comparison.
        """

    def create(self, contestant: Contestant) -> Timed:
        """Build ``contestant`` on this rank, and return the object that times its steps. Collective."""

    def compute_timer(self, timed: Iterable[Timed]) -> Callable[[], Callable[[Timed], float]]:
        """Return a function ``measure``, which determines how long each contestant computes per step. Collective.

        Call ``measure()`` before each round, on all ranks together. ``measure()`` returns a function ``seconds``.
        ``seconds(contestant)`` returns the compute seconds of one step of ``contestant``.

        Args:
            timed: The contestants.
        """


class TrainedStage:
    """A ``Stage`` that creates contestants (methods to time) that train instead of replaying a profile.

    The constructor switches to the session's links by a call of ``link.prepare``. All ranks must call the constructor
    together.

    Args:
        session: The timing session.
        link: This rank's link.
        heartbeat: Called to signal that this rank makes progress.
    """

    surroundings: Mapping[str, Any] = {}

    def __init__(self, session: Session, link: CellLink, heartbeat: Callable[[], None]) -> None:
        self._session, self._link, self._heartbeat = session, link, heartbeat
        link.prepare(session.cell.link, session.cell.emulator)

    def capacity(self) -> int:
        """Return the number of contestants that fit into memory together, but at least 2. Collective."""
        return session_groups.capacity(self._session.cell)

    def create(self, contestant: Contestant) -> Resident:
        """Build a contestant's model, optimizer, algorithm and data. Collective.

        Raises:
            DataError: If the data differ between ranks.
            NonFiniteError: If a gradient is not finite in the warm-up steps that a GPU needs.
        """
        return Resident.create(contestant, self._link, self._heartbeat)

    def compute_timer(self, timed: Iterable[Timed]) -> Callable[[], Callable[[Timed], float]]:
        """Return a function ``measure()``, to be called before each round. Collective.

        ``measure()`` trains copies of the model, without communication and compression. ``measure()`` returns a
        function ``seconds``. ``seconds(contestant)`` returns the compute seconds of one step of the contestant.
        ``measure()`` is collective, too.

        Args:
            timed: The contestants.
        """
        residents = {id(one): one for one in timed if isinstance(one, Resident)}
        works = compute_alone.of_each_work(resident.replica for resident in residents.values())

        def measure() -> Callable[[Timed], float]:
            seconds = {key: work.step_seconds() for key, work in works.items()}
            return lambda one: seconds[compute_alone.work_key(residents[id(one)].replica)]

        return measure
