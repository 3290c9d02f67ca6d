"""The launches of a run as a dry run shows them: command lines, work, estimated seconds and payload bytes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from liecbench.config.cell import Cell
from liecbench.config.jobs import Job, Session
from liecbench.estimate.cost import job_seconds, launch_seconds
from liecbench.estimate.method_names import method_names, seeds_text
from liecbench.estimate.planned_bytes import payload_bytes_per_epoch, traffic
from liecbench.estimate.run_cost import session_costs
from liecbench.estimate.session_cost import SessionCost
from liecbench.launch.launch import Launch, group, group_sessions
from liecbench.launch.multinode import Nodes
from liecbench.launch.pending import Pending

WITHOUT_GPU_TIME = " without the time that GPUs compute"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLaunch:
    """A launch (one torchrun) that is still to run.

    Attributes:
        lines: Lines of text: the launch, its command line, and its trainings or timing sessions. Trainings that differ
            only in the seed share a line.
        seconds: The estimated seconds.
        sent_bytes: The payload bytes that all ranks together will send.
    """

    lines: tuple[str, ...]
    seconds: float
    sent_bytes: int


def planned_launches(
    pending: Pending, cells: Sequence[Cell], directory: Path, nodes: Nodes | None, *, isolate: bool, share_gpus: bool
) -> list[PlannedLaunch]:
    """Return the launches of the work that is left, in the order in which they run.

    Args:
        pending: The work that is left.
        cells: All cells of the run, among which methods must be told apart.
        directory: The results directory.
        nodes: The machines that share the run; None for this machine alone.
        isolate: True if each cell has a launch of its own.
        share_gpus: True if ranks may share GPUs over NCCL.
    """
    names = _names({cell.trained_cell.id: cell.trained_cell for cell in cells})
    names_of_timed = _names({cell.contestant: cell for cell in reversed(cells)})
    launches = [
        *group(pending.jobs, isolate=isolate, share_gpus=share_gpus),
        *group_sessions(pending.sessions, isolate=isolate, share_gpus=share_gpus),
    ]
    sessions = [session for launch in launches for session in launch.sessions]
    costs = dict(zip(map(id, sessions), session_costs(sessions, directory), strict=True))
    planned = []
    for number, launch in enumerate(launches, start=1):
        where = f"{_place(launch)}{_network(launch, nodes)}"
        durations = _job_seconds(launch)
        sessions_with_costs = [(session, costs[id(session)]) for session in launch.sessions]
        planned.append(
            PlannedLaunch(
                lines=(
                    f"launch {number}: {launch.work}, {launch.workers} workers, {where}",
                    f"  {launch.describe(directory / 'logs' / f'launch-{number}.json', nodes)}",
                    *_training_lines(launch.jobs, durations, names),
                    *(
                        line
                        for session, cost in sessions_with_costs
                        for line in _session_lines(session, cost, names_of_timed)
                    ),
                ),
                seconds=launch_seconds(launch.workers)
                + sum(durations)
                + sum(cost.seconds for _, cost in sessions_with_costs),
                sent_bytes=sum(map(_sent_bytes, launch.jobs))
                + sum(_session_bytes(*each) for each in sessions_with_costs),
            )
        )
    return planned


def duration_text(seconds: float) -> str:
    """Return a duration as text, rounded because it is an estimate."""
    if seconds < 120:
        return f"about {seconds:.0f} s"
    if seconds < 600:
        return f"about {seconds / 60:.1f} min"
    return f"about {seconds / 60:.0f} min" if seconds < 7200 else f"about {seconds / 3600:.1f} h"


def _names(cells: Mapping[str, Cell]) -> dict[str, str]:
    return dict(zip(cells, method_names(list(cells.values())), strict=True))


def _training_lines(jobs: Sequence[Job], durations: Sequence[float], names: Mapping[str, str]) -> Iterator[str]:
    """Yield one line per group of jobs that differ only in the seed. The groups are in the order of their first jobs.

    Args:
        jobs: The jobs of a launch.
        durations: The estimated seconds of each job.
        names: The names of the jobs' methods, by the id of the job's cell.
    """
    together: dict[tuple[str, int], list[tuple[Job, float]]] = {}
    for job, duration in zip(jobs, durations, strict=True):
        without_seed = job.cell.model_copy(update={"seed": 0})
        together.setdefault((without_seed.id, job.epochs_done), []).append((job, duration))
    for members in together.values():
        first = members[0][0]
        cell, num_epochs = first.cell, _epochs_left(first)
        each, in_all = (" each", " in all") if len(members) > 1 else ("", "")
        seeds = seeds_text([job.cell.seed for job, _ in members])
        epochs = f"{num_epochs} epoch{'' if num_epochs == 1 else 's'}{each}"
        seconds = f"{duration_text(sum(duration for _, duration in members))}{in_all}"
        without_gpu = WITHOUT_GPU_TIME if cell.device == "cuda" else ""
        yield (
            f"  {names[cell.id]} · {cell.workers} workers · {cell.link} · {seeds}: {epochs}, "
            f"{seconds}{without_gpu}; {_payload(payload_bytes_per_epoch(cell))}"
        )


def _session_lines(session: Session, cost: SessionCost, of_methods: Mapping[str, str]) -> Iterator[str]:
    cell = session.cell
    without_gpu = WITHOUT_GPU_TIME if cell.device == "cuda" else ""
    seconds = f"{duration_text(cost.seconds)}{without_gpu}"
    names = ", ".join(of_methods[contestant.cell.contestant] for contestant in session.contestants)
    replayed = "" if cost.slowdown is None else f", {cost.slowdown}"
    yield f"  timing session on {cell.link}{replayed}: about {cost.rounds} rounds of {names}: {seconds}"
    yield f"      {len(session.jobs)} cells complete with it{f'; it replays {cost.source}' if cost.source else ''}"


def _job_seconds(launch: Launch) -> list[float]:
    links = [None, *(job.cell.link for job in launch.jobs)]
    return [
        job_seconds(job, link_changes=job.cell.link != before) for job, before in zip(launch.jobs, links, strict=False)
    ]


def _epochs_left(job: Job) -> int:
    return job.cell.task.epochs - job.epochs_done


def _sent_bytes(job: Job) -> int:
    """Return the payload bytes that all ranks together send in the job's remaining epochs."""
    return _epochs_left(job) * sum(sent for sent, _ in payload_bytes_per_epoch(job.cell))


def _session_bytes(session: Session, cost: SessionCost) -> int:
    """Return the payload bytes that all ranks together send in a timing session."""
    per_round = 0
    for contestant in session.contestants:
        kinds = traffic(contestant.cell)
        steps = cost.steps[contestant.cell.id]
        per_round += sum(steps.get(name, 0) * sum(sent for sent, _ in kind.ranks) for name, kind in kinds.items())
    return cost.rounds * per_round


def _payload(ranks: Sequence[tuple[int, int]]) -> str:
    sent, received = (sum(bytes_of) // len(ranks) for bytes_of in zip(*ranks, strict=True))
    busiest = max(map(sum, ranks))
    most = f"; the busiest rank moves {busiest:,}" if busiest > 1.01 * (sent + received) else ""
    return f"payload per rank and epoch: {sent:,} bytes sent, {received:,} received{most}"


def _place(launch: Launch) -> str:
    if launch.settings.device == "cpu":
        return ""
    shared = " that ranks share (experimental)" if launch.settings.share_gpus else ""
    return f"on GPUs{shared} over {launch.settings.backend}, "


def _network(launch: Launch, nodes: Nodes | None) -> str:
    if nodes:
        return f"on the network of {nodes.count} machines"
    if launch.shaped:
        return "each behind its own shaped veth"
    if launch.settings.backend == "nccl" and not launch.settings.share_gpus:
        return "on the fastest connection that NCCL finds"
    if launch.paced:
        return "on the loopback, links paced by the processes"
    return "on the unshaped loopback"
