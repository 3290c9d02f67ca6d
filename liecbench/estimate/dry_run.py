"""The dry run: print the cells, launches, command lines, bytes and seconds of a run without running it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from liecbench.config.cell import Job
from liecbench.config.cell_fields import flat_fields
from liecbench.estimate.cost import TIMED_STEPS, job_seconds, launch_seconds
from liecbench.estimate.planned_bytes import payload_bytes_per_epoch, traffic
from liecbench.launch.launch import Launch, group
from liecbench.launch.multinode import Nodes

# ``Cell.describe`` shows these fields.
_DESCRIBED = frozenset({"algorithm", "compressor", "workers", "link", "seed"})
_WITHOUT_GPU_TIME = " without the time that GPUs compute"


def lines(
    jobs: Sequence[Job],
    num_cells: int,
    directory: Path,
    nodes: Nodes | None = None,
    *,
    isolate: bool = False,
    share_gpus: bool = False,
) -> Iterator[str]:
    """Yield the lines that `liecbench run --dry-run` prints.

    Args:
        jobs: The jobs that are still to do.
        num_cells: The number of all cells of the run, done or not.
        directory: The results directory.
        nodes: The machines that share the run; None for this machine alone.
        isolate: True if each cell has a launch of its own.
        share_gpus: True if ranks may share GPUs over NCCL.
    """
    yield f"{num_cells} cells, {num_cells - len(jobs)} of them done; results in {directory}"
    total, varying = 0.0, _varying(jobs)
    for number, launch in enumerate(group(jobs, isolate=isolate, share_gpus=share_gpus), start=1):
        seconds = _job_seconds(launch)
        total += launch_seconds(launch.workers) + sum(seconds)
        yield ""
        where = f"{_place(launch)}{_network(launch, nodes)}"
        yield f"launch {number}: {len(launch.jobs)} cells, {launch.workers} workers, {where}"
        yield f"  {launch.describe(directory / 'logs' / f'launch-{number}.json', nodes)}"
        for job, duration in zip(launch.jobs, seconds, strict=True):
            work = f"{_work(job)}, {_duration(duration)}{_WITHOUT_GPU_TIME if _on_gpu(job) else ''}"
            yield f"  {job.cell.id}  {job.cell.describe()}{_other_fields(job, varying)}: {work}"
            yield f"      {_payload(payload_bytes_per_epoch(job.cell))}"
    if jobs:
        sent = sum(map(_sent_bytes, jobs))
        yield ""
        left_out = f"{_WITHOUT_GPU_TIME}, which is not estimated" if any(map(_on_gpu, jobs)) else ""
        yield f"estimated: {_duration(total)} in all{left_out}, {sent:,} payload bytes sent by all ranks"


def _job_seconds(launch: Launch) -> list[float]:
    links = [None, *(job.cell.link for job in launch.jobs)]
    return [
        job_seconds(job, link_changes=job.cell.link != before) for job, before in zip(launch.jobs, links, strict=False)
    ]


def _on_gpu(job: Job) -> bool:
    return job.cell.device == "cuda"


def _work(job: Job) -> str:
    epochs = f"{job.cell.task.epochs - job.epochs_done} epochs"
    return f"{epochs}, composed with {job.trajectory}" if job.trajectory else epochs


def _sent_bytes(job: Job) -> int:
    """Return the payload bytes that all ranks send in the remaining epochs or, if composed, in the timed steps."""
    if job.trajectory is None:
        epochs_left = job.cell.task.epochs - job.epochs_done
        return epochs_left * sum(sent for sent, _ in payload_bytes_per_epoch(job.cell))
    return sum(TIMED_STEPS * sum(sent for sent, _ in kind.ranks) for kind in traffic(job.cell).values())


def _duration(seconds: float) -> str:
    """Return a duration as text, rounded because it is an estimate."""
    if seconds < 120:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 7200 else f"about {seconds / 3600:.1f} h"


def _varying(jobs: Sequence[Job]) -> set[str]:
    """Return the names of the fields that differ between jobs and that ``Cell.describe`` does not show."""
    values: dict[str, set[str]] = {}
    for job in jobs:
        for name, value in flat_fields(job.cell.spec()).items():
            if name not in _DESCRIBED and value is not None:
                values.setdefault(name, set()).add(repr(value))
    return {name for name, found in values.items() if len(found) > 1}


def _other_fields(job: Job, varying: set[str]) -> str:
    fields = flat_fields(job.cell.spec()).items()
    return "".join(f" · {name} {value}" for name, value in fields if name in varying and value is not None)


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
    if launch.enforcement == "process":
        return "on the loopback, links paced by the processes"
    return "on the unshaped loopback"
