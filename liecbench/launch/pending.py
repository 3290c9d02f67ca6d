"""The trainings and timing sessions that a run's cells still need. A cell is one configuration with one seed.

A cell with ``timing: interleaved`` is not trained itself. Another cell, called its trajectory, is trained without
shaped links and gives it the losses. After that training, a timing session times the steps on the cell's own link. A
cell that only times the steps of a profile has no trajectory. A session times several methods in turns, for example all
methods on one link. The methods of a session are called its contestants.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from liecbench.config.cell import Cell
from liecbench.config.jobs import Contestant, Job, Session
from liecbench.results.cells import CellResult
from liecbench.results.changed_code import recorded_code
from liecbench.results.environment_record import Environment
from liecbench.results.records import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """The trainings and timing sessions that are left of a run.

    Attributes:
        jobs: The trainings. The training of a cell with ``timing: end_to_end`` is timed. The other trainings only
            provide losses, for cells whose steps are timed in sessions.
        sessions: The timing sessions, which run after the trainings. Each session times several methods in turns.
        cells: The ids of the run's cells that are not done. ``jobs_left`` says when a cell is done.
    """

    jobs: tuple[Job, ...] = ()
    sessions: tuple[Session, ...] = ()
    cells: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The final status of a cell with ``timing: interleaved`` that needs no timing session.

    There are two reasons why a cell needs no session:

    - The training that provides the cell's losses failed or diverged.
    - An earlier session timed a cell with equal step times precisely enough. An example is a cell that differs only in
      the seed.
    """

    job: Job
    status: Status
    error: str | None
    environment: Environment


def jobs_left(
    cells: Sequence[Cell], done: Mapping[str, CellResult], *, baseline: str = "ddp", precision: float = 0.02
) -> Pending:
    """Return the work that is left of a run.

    A cell is done if it has completed or diverged. But a completed cell with ``timing: interleaved`` is not done if the
    session that timed it aimed at a larger half-width than ``precision``. Failed cells are tried again.

    Args:
        cells: All cells of the run.
        done: The results in the results directory, by cell id.
        baseline: The algorithm that the others are compared with. Every timing session also times the baseline.
        precision: The wanted half-width of the 95 % interval of a speed-up, as a fraction of the speed-up.
    """
    left = [cell for cell in cells if not _is_final(cell, done, precision)]
    trained = [cell for cell in left if cell.timing != "interleaved"]
    timed = [cell for cell in left if cell.timing == "interleaved" and cell.is_trained]
    trajectories = {t.id: t for cell in timed for t in (cell.trajectory,)}
    jobs = [_job(cell, done) for cell in _in_turns(trained)]
    jobs += [_job(cell, done) for cell in trajectories.values() if not _is_final(cell, done, precision)]
    return Pending(
        jobs=tuple(jobs),
        sessions=tuple(_sessions(cells, left, done, baseline, precision)),
        cells=frozenset(cell.id for cell in left),
    )


def settled(cells: Sequence[Cell], done: Mapping[str, CellResult], *, precision: float = 0.02) -> Iterator[Settled]:
    """Yield the final status of each cell with ``timing: interleaved`` that needs no timing session.

    Call this function when all trainings have ended. Cells that are done (see ``jobs_left``) are left out. There are
    two reasons why a cell needs no session:

    - The training that gives the cell's losses failed or diverged. The status is ``failed`` or ``diverged``.
    - An earlier session timed another cell with equal step times, for example a cell that differs only in the seed. The
      session aimed at ``precision`` or a smaller half-width. The status is ``completed``.

    Args:
        cells: All cells of a run.
        done: The results in the results directory, by cell id.
        precision: The wanted half-width of the 95 % interval of a speed-up, as a fraction of the speed-up.
    """
    timed = _timed(done, precision)
    for cell in cells:
        if cell.timing != "interleaved" or _is_final(cell, done, precision):
            continue
        trajectory = _trained(cell, done)
        if trajectory is None and cell.is_trained:
            continue
        status = "completed" if trajectory is None else trajectory.status
        if status == "unfinished":
            continue
        job = _job(cell, done)
        if trajectory is not None and status != "completed":
            how = "its training failed" if status == "failed" else "as its trajectory did"
            error = f"{how}: {trajectory.error}"
            yield Settled(job=job, status=status, error=error, environment=trajectory.environment)
        elif cell.contestant in timed:
            earlier = timed[cell.contestant].environment
            surroundings = replace(earlier, data_sha256=job.data_sha256, code=dict(job.code) or earlier.code)
            yield Settled(job=job, status="completed", error=None, environment=surroundings)


def _in_turns(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells in the order in which to train them: by seed, then by setting (``Cell.setting``).

    Seeds and settings are in the order in which they first appear in ``cells``. Cells with equal seed and equal setting
    are shuffled. The shuffled order depends only on the cells' ids.
    """
    seeds = list(dict.fromkeys(cell.seed for cell in cells))
    settings = list(dict.fromkeys(cell.setting for cell in cells))
    order = [(seeds.index(cell.seed), settings.index(cell.setting)) for cell in cells]
    places = {cell.id: random.Random(cell.id).random() for cell in cells}  # noqa: S311 - an order is no secret
    paired = sorted(zip(order, cells, strict=True), key=lambda pair: (pair[0], places[pair[1].id]))
    return [cell for _, cell in paired]


def _sessions(
    cells: Sequence[Cell], left: Sequence[Cell], done: Mapping[str, CellResult], baseline: str, precision: float
) -> Iterator[Session]:
    timed = _timed(done, precision)
    waiting: dict[str, dict[str, list[Cell]]] = {}
    for cell in left:
        trajectory = _trained(cell, done) if cell.timing == "interleaved" else None
        diverged = trajectory is not None and trajectory.status == "diverged"
        if cell.timing == "interleaved" and cell.contestant not in timed and not diverged:
            waiting.setdefault(cell.setting, {}).setdefault(cell.contestant, []).append(cell)
    for setting, found in waiting.items():
        contestants = [
            Contestant(cell=members[0], jobs=tuple(_job(cell, done) for cell in members)) for members in found.values()
        ]
        first = next((c for c in contestants if c.cell.algorithm.name == baseline), None)
        if first is None:  # the baseline was timed before: it takes turns with the new contestants
            others = (cell for cell in cells if cell.timing == "interleaved" and cell.algorithm.name == baseline)
            known = next((cell for cell in others if cell.setting == setting and cell.contestant in timed), None)
            contestants = [*([Contestant(cell=known, jobs=())] if known else []), *contestants]
        else:
            contestants = [first, *(contestant for contestant in contestants if contestant is not first)]
        yield Session(contestants=tuple(contestants), precision=precision)


def _timed(done: Mapping[str, CellResult], precision: float) -> dict[str, CellResult]:
    """Return one precisely timed cell per contestant. Contestants without such a cell are left out.

    A cell is precisely timed if it has completed and has timings, and if its timing session aimed at a half-width of at
    most ``precision``. A session whose aim is not recorded counts as precise enough.

    Args:
        done: The results in the results directory, by cell id.
        precision: A half-width of the 95 % interval of a speed-up, as a fraction of the speed-up.

    Returns:
        The results of the cells, by ``Cell.contestant``.
    """
    completed = (
        cell
        for cell in done.values()
        if cell.is_interleaved and cell.status == "completed" and cell.timings and _is_precise(cell, precision)
    )
    return {Cell.from_spec(cell.spec).contestant: cell for cell in completed}


def _is_precise(found: CellResult, precision: float) -> bool:
    """Return True if the timing session of ``found`` aimed at intervals with half-widths of at most ``precision``.

    A half-width is a fraction of the speed-up. Return True as well if the session's aim is not recorded.
    """
    return (found.environment.timing_precision or precision) <= precision


def _is_final(cell: Cell, done: Mapping[str, CellResult], precision: float) -> bool:
    found = done.get(cell.id)
    if found is None or not found.is_final:
        return False
    return not found.is_interleaved or found.status != "completed" or _is_precise(found, precision)


def _trained(cell: Cell, done: Mapping[str, CellResult]) -> CellResult | None:
    """Return the result of the training that provides the losses of ``cell``.

    Return None if ``done`` lacks this training, or if ``cell`` only times the steps of a profile.
    """
    return done.get(cell.trajectory.id) if cell.is_trained else None


def _job(cell: Cell, done: Mapping[str, CellResult]) -> Job:
    found = done.get(cell.id)
    if cell.timing == "interleaved":
        trajectory = _trained(cell, done)
        trained = trajectory.environment if trajectory else Environment()
        return Job(
            cell=cell,
            attempt=found.attempt + 1 if found else 1,
            data_sha256=trained.data_sha256,
            code=recorded_code(trajectory) if trajectory else {},
        )
    return Job(
        cell=cell,
        attempt=found.attempt + 1 if found else 1,
        epochs_done=len(found.epochs) if found else 0,
        data_sha256=found.environment.data_sha256 if found else None,
        code=recorded_code(found) if found else {},
    )
