"""What a run will do, before it does anything: cells, launches, command lines, bytes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from liecbench.config.cell import Job
from liecbench.estimate.cost import TIMED_STEPS, job_seconds, launch_seconds, payload_bytes_per_epoch, traffic
from liecbench.launch.launch import Launch, group
from liecbench.launch.multinode import Nodes
from liecbench.results.fields import flat_fields

_DESCRIBED = frozenset({"algorithm", "compressor", "workers", "link", "seed"})
_LEFT_OUT = " besides what GPUs compute"


def lines(
    jobs: Sequence[Job],
    num_cells: int,
    directory: Path,
    nodes: Nodes | None = None,
    *,
    isolate: bool = False,
    share_gpus: bool = False,
) -> Iterator[str]:
    """The forecast as text."""
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
            work = f"{_work(job)}, {_duration(duration)}{_LEFT_OUT if _on_gpu(job) else ''}"
            yield f"  {job.cell.id}  {job.cell.describe()}{_rest(job, varying)}: {work}"
            yield f"      {_traffic(payload_bytes_per_epoch(job.cell))}"
    if jobs:
        moved = sum(map(_moved_bytes, jobs))
        yield ""
        left_out = f"{_LEFT_OUT}, which is not estimated" if any(map(_on_gpu, jobs)) else ""
        yield f"estimated: {_duration(total)} in all{left_out}, {moved:,} payload bytes sent by all ranks"


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


def _moved_bytes(job: Job) -> int:
    """What all ranks send while the job trains, or times its steps."""
    if job.trajectory is None:
        epochs_left = job.cell.task.epochs - job.epochs_done
        return epochs_left * sum(sent for sent, _ in payload_bytes_per_epoch(job.cell))
    return sum(TIMED_STEPS * sum(sent for sent, _ in kind.ranks) for kind in traffic(job.cell).values())


def _duration(seconds: float) -> str:
    """An estimate needs no more than a minute's precision above two, no more than an hour's above two hours."""
    if seconds < 120:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 7200 else f"about {seconds / 3600:.1f} h"


def _varying(jobs: Sequence[Job]) -> set[str]:
    """Fields that tell jobs apart, without those that a cell's description has."""
    values: dict[str, set[str]] = {}
    for job in jobs:
        for name, value in flat_fields(job.cell.spec()).items():
            if name not in _DESCRIBED and value is not None:
                values.setdefault(name, set()).add(repr(value))
    return {name for name, found in values.items() if len(found) > 1}


def _rest(job: Job, varying: set[str]) -> str:
    """What else tells a cell from the others."""
    fields = flat_fields(job.cell.spec()).items()
    return "".join(f" · {name} {value}" for name, value in fields if name in varying and value is not None)


def _traffic(ranks: Sequence[tuple[int, int]]) -> str:
    sent, received = (sum(bytes_of) // len(ranks) for bytes_of in zip(*ranks, strict=True))
    busiest = max(out + back for out, back in ranks)
    most = f"; the busiest rank {busiest:,} together" if busiest > 1.01 * (sent + received) else ""
    return f"a rank sends {sent:,} and receives {received:,} payload bytes an epoch{most}"


def _place(launch: Launch) -> str:
    if launch.settings.device == "cpu":
        return ""
    shared = " that ranks share (experimental)" if launch.settings.share_gpus else ""
    return f"on GPUs{shared} over {launch.settings.backend}, "


def _network(launch: Launch, nodes: Nodes | None) -> str:
    if nodes:
        return f"the own network of {nodes.count} machines"
    if launch.shaped:
        return "each behind its own shaped veth"
    if launch.settings.backend == "nccl" and not launch.settings.share_gpus:
        return "NCCL's fastest way"
    return "unshaped loopback" if launch.enforcement == "kernel" else "loopback, links paced by the processes"
