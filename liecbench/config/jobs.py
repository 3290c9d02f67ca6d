"""The work that is still to be done: cells to train, and sessions that time several methods in turns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from liecbench.config.cell import Cell
from liecbench.config.own_code import CodeFile, Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One cell that is still to be trained or timed.

    Attributes:
        cell: The cell. If ``cell.timing`` is ``interleaved``, a session only times the cell's steps.
        attempt: 1 if the cell was never started before, else one more than at its last start.
        epochs_done: The number of epochs of the cell that earlier attempts recorded; 0 if a session times the cell.
        data_sha256: The hash of the data, recorded by an earlier attempt or, if a session times the cell, by the
            training of ``cell.trajectory``, which provides the losses. None if no hash is recorded.
        code: The files outside liecbench that define parts of the cell, as an earlier attempt recorded them or, if a
            session times the cell, the training of ``cell.trajectory``. Empty if none are recorded.
    """

    cell: Cell
    attempt: int = 1
    epochs_done: int = 0
    data_sha256: str | None = None
    code: Mapping[Part, CodeFile] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A method that a timing session times in turns with other methods, with the same link, data and model.

    Attributes:
        cell: The cell whose steps are timed. Other cells with the same ``Cell.contestant`` have equal step times.
        jobs: The cells that need these timings, such as one per seed. Empty if an earlier session has timed the method,
            and it is timed again only for comparison.
    """

    cell: Cell
    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A timing session: several methods are timed in turns, with the same link, data and model.

    Attributes:
        contestants: The methods. The session measures the speed-up of each later method over the first method.
        precision: The half-width of a speed-up's 95 % interval that the session aims at, as a fraction of the speed-up.
    """

    contestants: tuple[Contestant, ...]
    precision: float

    @property
    def cell(self) -> Cell:
        """The first method's cell. The cells of all methods agree in workers, link, backend, device and threads."""
        return self.contestants[0].cell

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs of all contestants: one job for each cell that needs this session's timings."""
        return tuple(job for contestant in self.contestants for job in contestant.jobs)
