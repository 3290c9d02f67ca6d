"""What a run will do, before it does anything: cells, launches, command lines, bytes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from liecbench import catalog
from liecbench.cell import Cell, Job
from liecbench.launch import Launch, group
from liecbench.method import make_algorithm
from liecbench.nodes import Nodes
from liecbench.results import flat_fields

_DESCRIBED = frozenset({"algorithm", "compressor", "workers", "link", "seed"})


def payload_bytes_per_epoch(cell: Cell) -> list[tuple[int, int]]:
    """Payload bytes that each rank sends and receives in an epoch, the mean over the cell's epochs."""
    import torch

    from liecbench.worker.training import steps_per_epoch

    task = cell.task
    dataset = catalog.load("dataset", task.dataset.name)(**task.dataset.options)
    architecture = catalog.load("model", task.model.name)(**task.model.options)
    with torch.device("meta"):
        model = architecture.build(dataset.input_shape, dataset.num_classes)
    shapes = [parameter.shape for parameter in model.parameters()]
    algorithm = make_algorithm(cell)
    num_steps = task.epochs * steps_per_epoch(cell, algorithm, dataset.num_train_samples)
    kinds = [algorithm.step_kind(step) for step in range(num_steps)]
    totals = [(0, 0)] * cell.workers
    for kind, count in Counter(kinds).items():
        for rank, (sent, received) in enumerate(totals):
            out, back = algorithm.planned_payload_bytes(shapes, rank, cell.workers, kinds.index(kind))
            totals[rank] = (sent + count * out, received + count * back)
    return [(round(sent / task.epochs), round(received / task.epochs)) for sent, received in totals]


def lines(jobs: Sequence[Job], num_cells: int, directory: Path, nodes: Nodes | None = None) -> Iterator[str]:
    """The forecast as text."""
    yield f"{num_cells} cells, {num_cells - len(jobs)} of them done; results in {directory}"
    for number, launch in enumerate(group(jobs), start=1):
        yield ""
        yield f"launch {number}: {len(launch.jobs)} cells, {launch.workers} workers, {_network(launch, nodes)}"
        yield f"  {launch.describe(directory / 'logs' / f'launch-{number}.json', nodes)}"
        for job in launch.jobs:
            epochs = f"{job.cell.task.epochs - job.epochs_done} epochs"
            yield f"  {job.cell.id}  {job.cell.describe()}{_rest(job, jobs)}: {epochs}"
            yield f"      {_traffic(payload_bytes_per_epoch(job.cell))}"


def _rest(job: Job, jobs: Sequence[Job]) -> str:
    """What else tells a cell from the others."""
    fields = [flat_fields(other.cell.spec()) for other in jobs]
    mine = {n: v for n, v in flat_fields(job.cell.spec()).items() if n not in _DESCRIBED and v is not None}
    varying = [n for n in mine if len({repr(other.get(n)) for other in fields if other.get(n) is not None}) > 1]
    return "".join(f" · {name} {mine[name]}" for name in varying)


def _traffic(ranks: Sequence[tuple[int, int]]) -> str:
    sent, received = (sum(bytes_of) // len(ranks) for bytes_of in zip(*ranks, strict=True))
    busiest = max(out + back for out, back in ranks)
    most = f"; the busiest rank {busiest:,} together" if busiest > 1.01 * (sent + received) else ""
    return f"a rank sends {sent:,} and receives {received:,} payload bytes an epoch{most}"


def _network(launch: Launch, nodes: Nodes | None) -> str:
    if nodes:
        return f"the own network of {nodes.count} machines"
    if launch.shaped:
        return "each behind its own shaped veth"
    return "unshaped loopback" if launch.enforcement == "kernel" else "loopback, links paced by the processes"
