"""Composed cells: steps of each kind are timed on the cell's link; a trained cell's trajectory gives everything else.

An epoch's time is the sum over step kinds of the number of timed steps of the kind in that epoch × their mean seconds.
"""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import torch.distributed as dist

from liecbench.algorithms.base import NonFiniteError
from liecbench.config.cell import Job
from liecbench.results.cells import CellResult
from liecbench.results.directory import read_cell
from liecbench.results.records import Composed, Epoch, KindTime, Status
from liecbench.worker.cell_link import CellLink
from liecbench.worker.cell_setup import set_up
from liecbench.worker.collective_errors import collective_cleanup
from liecbench.worker.event_writer import RecordWriter
from liecbench.worker.rank_measurement import other_cpu_share
from liecbench.worker.replica import Replica
from liecbench.worker.step_parts import StepParts
from liecbench.worker.timed_kinds import TimedKind, time_kinds


def compose_cell(
    job: Job, trajectory: CellResult, link: CellLink, writer: RecordWriter | None
) -> tuple[Status, str | None]:
    """Time a cell's steps and record its epochs. Collective.

    Args:
        job: The cell, and the number of its epochs that are already recorded.
        trajectory: The finished cell that gives losses, accuracies and payloads; only rank 0 needs its epochs.
        link: This rank's link.
        writer: The ledger's writer on rank 0; None on other ranks.

    Returns:
        The composed cell's status, and the reason unless it completed.
    """
    if trajectory.status == "diverged":
        return "diverged", f"as the cell that it is composed with, {trajectory.id}, did: {trajectory.error}"
    heartbeat = writer.heartbeat if writer is not None else lambda: None
    try:
        replica = set_up(job.cell, link, heartbeat, data_sha256=trajectory.environment.get("data_sha256"))
        with collective_cleanup(replica.close):
            kinds = time_kinds(replica, link, writer)
    except NonFiniteError as error:
        return "failed", f"its steps could not be timed: {error}"
    if writer is not None:
        for epoch in trajectory.epochs[job.epochs_done :]:
            counts = _count_kinds(replica, epoch)
            writer.record(compose_epoch(epoch, kinds, counts, cell=job.cell.id, attempt=job.attempt))
    return "completed", None


def find_trajectory(directory: Path, cell: str) -> CellResult:
    """Return a trained cell's state from rank 0's ledger; on other ranks without its epochs. Collective."""
    own = None
    if dist.get_rank() == 0:
        own = read_cell(directory, cell) or CellResult(id=cell, spec={}, environment={}, attempt=0)
    shared = [own and dataclasses.replace(own, epochs=[])]
    dist.broadcast_object_list(shared, src=0)
    result = own or shared[0]
    assert result is not None, "rank 0 broadcasts a result"
    return result


def _count_kinds(replica: Replica, epoch: Epoch) -> tuple[Counter[str], Counter[str]]:
    """Return the number of steps of each kind in an epoch: first of all its steps, then of its timed steps only."""
    steps = range((epoch.epoch - 1) * epoch.steps, epoch.epoch * epoch.steps)
    kind = replica.algorithm.step_kind
    return Counter(map(kind, steps)), Counter(map(kind, steps[epoch.steps - epoch.timed_steps :]))


def compose_epoch(
    epoch: Epoch, kinds: dict[str, TimedKind], counts: tuple[Counter[str], Counter[str]], *, cell: str, attempt: int
) -> Epoch:
    """Return a trained cell's epoch as the composed cell's: its times are replaced by those measured on another link.

    Args:
        epoch: The trained cell's epoch.
        kinds: The timed steps of each kind on the composed cell's link.
        counts: The number of steps of each kind in the epoch: first of all steps, then of the timed steps only.
        cell: Id of the composed cell.
        attempt: Number of the attempt at the composed cell.
    """
    all_steps, timed = counts
    num_ranks = len(next(iter(kinds.values())).ranks)
    seconds = [sum(n * kinds[name].mean_seconds(rank) for name, n in timed.items()) for rank in range(num_ranks)]
    slowest = seconds.index(max(seconds))

    def of_slowest(field: str) -> float:
        return sum(n * _step_seconds(kinds[name], slowest, field) for name, n in timed.items())

    parts = {name: StepParts.of(kind.ranks) for name, kind in kinds.items()}

    def of_parts(field: str) -> float:
        return sum((n * getattr(parts[name], field) / kinds[name].timed_steps for name, n in timed.items()), 0.0)

    compute, wire, compress = (of_parts(f"{part}_seconds") for part in ("compute", "wire", "compress"))
    return dataclasses.replace(
        epoch,
        cell=cell,
        attempt=attempt,
        train_seconds=seconds[slowest],
        step_seconds=_quantiles(kinds, timed),
        compute_seconds=compute,
        exposed_seconds=of_slowest("exposed_seconds"),
        exposed_wire_seconds=wire,
        exposed_compress_seconds=compress,
        other_seconds=max(0.0, seconds[slowest] - compute - wire - compress),
        compress_seconds=of_slowest("compress_seconds"),
        communicate_seconds=of_slowest("communicate_seconds"),
        least_communicate_seconds=sum(
            n * min(_step_seconds(kinds[name], rank, "communicate_seconds") for rank in range(num_ranks))
            for name, n in timed.items()
        ),
        data_seconds=of_slowest("data_seconds"),
        wire_bytes=_wire_bytes(kinds, all_steps),
        cpu_seconds=sum(
            n * sum(rank.cpu_seconds / rank.num_steps for rank in kinds[name].ranks) for name, n in all_steps.items()
        ),
        other_cpu_share=max(other_cpu_share(kind.ranks) for kind in kinds.values()),
        peak_memory_bytes=max(rank.peak_memory_bytes for kind in kinds.values() for rank in kind.ranks),
        memory_bytes=max(rank.memory_bytes for kind in kinds.values() for rank in kind.ranks),
        gpu=None,  # the trajectory's GPU metrics depend on its own link: GPUs wait while a link is busy
        composed=Composed(
            trajectory=epoch.cell, kinds={name: _kind_time(kinds[name], all_steps[name]) for name in all_steps}
        ),
    )


def _step_seconds(kind: TimedKind, rank: int, field: str) -> float:
    """Return a rank's mean seconds per timed step in the named field of its measurement or of its counters."""
    measurement = kind.ranks[rank]
    total: float = getattr(measurement if hasattr(measurement, field) else measurement.counters, field)
    return total / kind.timed_steps


def _kind_time(kind: TimedKind, steps: int) -> KindTime:
    return KindTime(
        steps=steps,
        timed_steps=kind.timed_steps,
        mean_seconds=kind.mean_seconds(kind.slowest),
        half_width_seconds=kind.half_width_seconds(),
    )


def _quantiles(kinds: dict[str, TimedKind], counts: Counter[str]) -> dict[str, float] | None:
    """Return median and 95th percentile of step seconds, each step's on its slowest rank; None without timed steps.

    Each kind's steps are weighted by the number of steps of that kind in the epoch.
    """
    if not counts:
        return None
    steps, weights = [], []
    for name, count in counts.items():
        slowest = np.array([rank.step_seconds for rank in kinds[name].ranks]).max(axis=0)
        steps.append(slowest)
        weights.append(np.full(slowest.size, count / slowest.size))
    median, p95 = np.quantile(
        np.concatenate(steps), [0.5, 0.95], weights=np.concatenate(weights), method="inverted_cdf"
    )
    return {"median": float(median), "p95": float(p95)}


def _wire_bytes(kinds: dict[str, TimedKind], counts: Counter[str]) -> dict[str, list[int]] | None:
    """Return each rank's wire bytes in an epoch: summed over kinds, count × mean per step; None if not counted."""
    totals: list[list[float]] = []
    for rank in range(len(next(iter(kinds.values())).ranks)):
        total = [0.0, 0.0]
        for name, count in counts.items():
            measurement = kinds[name].ranks[rank]
            if measurement.wire_bytes is None:
                return None
            per_step = [wire / measurement.num_steps for wire in measurement.wire_bytes]
            total = [t + count * wire for t, wire in zip(total, per_step, strict=True)]
        totals.append(total)
    return {"sent": [round(sent) for sent, _ in totals], "received": [round(received) for _, received in totals]}
