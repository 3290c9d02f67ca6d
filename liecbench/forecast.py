"""What a run will do, before it does anything: cells, launches, command lines, bytes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from liecbench import catalog
from liecbench.cell import Cell, Job
from liecbench.launch import Launch, group


def payload_bytes_per_epoch(cell: Cell) -> list[int]:
    """Payload bytes that each rank sends in an epoch, the mean over the cell's epochs."""
    import torch

    from liecbench.worker.training import make_algorithm

    task = cell.task
    dataset = catalog.load("dataset", task.dataset.name)(**task.dataset.options)
    architecture = catalog.load("model", task.model.name)(**task.model.options)
    with torch.device("meta"):
        model = architecture.build(dataset.input_shape, dataset.num_classes)
    numels = [parameter.numel() for parameter in model.parameters()]
    num_steps = task.epochs * (dataset.num_train_samples // (task.batch_size * cell.workers))
    algorithm = make_algorithm(cell)
    kinds = [algorithm.step_kind(step) for step in range(num_steps)]
    totals = [0] * cell.workers
    for kind, count in Counter(kinds).items():
        step = kinds.index(kind)
        for rank in range(cell.workers):
            totals[rank] += count * algorithm.planned_payload_bytes(numels, rank, cell.workers, step)[0]
    return [round(total / task.epochs) for total in totals]


def lines(jobs: Sequence[Job], num_cells: int, directory: Path) -> Iterator[str]:
    """The forecast as text."""
    yield f"{num_cells} cells, {num_cells - len(jobs)} of them done; results in {directory}"
    for number, launch in enumerate(group(jobs), start=1):
        yield ""
        yield f"launch {number}: {len(launch.jobs)} cells, {launch.workers} workers, {_network(launch)}"
        yield f"  {launch.describe(directory / 'logs' / f'launch-{number}.json')}"
        for job in launch.jobs:
            sent = payload_bytes_per_epoch(job.cell)
            most = f", the busiest {max(sent):,}" if max(sent) > 1.01 * sum(sent) / len(sent) else ""
            epochs = f"{job.cell.task.epochs - job.epochs_done} epochs"
            yield f"  {job.cell.id}  {job.cell.describe()}: {epochs}"
            yield f"      a rank sends {sum(sent) // len(sent):,} payload bytes an epoch{most}"


def _network(launch: Launch) -> str:
    return "each behind its own shaped veth" if launch.shaped else "unshaped loopback"
