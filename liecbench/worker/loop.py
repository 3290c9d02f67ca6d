"""The loop of a launch's ranks: join the process group once, then train cells and time sessions."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist

from liecbench.algorithms.base import NonFiniteError
from liecbench.config import user_functions, workload
from liecbench.config.cell import Job
from liecbench.launch.messages import TrainingPlan
from liecbench.network.emulation import WorkerLink
from liecbench.results.ledger import Ledger
from liecbench.results.records import End, Start, Status, utc_now
from liecbench.worker import checkpoint, environment
from liecbench.worker.backend_variables import Backend
from liecbench.worker.cell_link import CellLink
from liecbench.worker.cell_setup import set_up
from liecbench.worker.collective_errors import DataError, LinkError, collective_cleanup
from liecbench.worker.device import gpu_uuids
from liecbench.worker.event_writer import RecordWriter
from liecbench.worker.gpu_telemetry import Sampler
from liecbench.worker.interleaved_session import run_session
from liecbench.worker.label_facts import describe_test_set
from liecbench.worker.process_group import join
from liecbench.worker.process_pacing import choose_shaper
from liecbench.worker.trainer import Trainer


def run_plan(plan: TrainingPlan, events: Path, worker_link: WorkerLink | None) -> None:
    """Carry out every job and session of the plan on this rank: train cells or time their steps, and record them."""
    directory = Path(plan.directory)
    join(plan)
    plans = [plan]
    dist.broadcast_object_list(plans, src=0)  # other machines learn the jobs from the first
    (plan,) = plans
    writer = RecordWriter(Ledger(directory), events) if dist.get_rank() == 0 else None
    backend = Backend.of(plan, shaped=worker_link is not None)
    link = CellLink(choose_shaper(worker_link, backend, paced=plan.paced))
    watches = plan.device == "cuda" and os.environ["LOCAL_RANK"] == "0"
    sampler = Sampler.of(gpu_uuids()) if watches else None
    for job in plan.jobs:
        # A trajectory's link is lifted: its steps are traced when they are timed on the link.
        traced = plan.trace and job.cell.timing != "trajectory"
        trace = directory / "traces" / f"{job.cell.id}.json" if traced else None
        _run_job(job, _Context(directory, link, writer, trace, sampler), backend)
    for session in plan.sessions:
        run_session(session, directory, link, writer, backend, trace=plan.trace)
    if sampler is not None:
        sampler.close()
    dist.destroy_process_group()


@dataclass(frozen=True, slots=True)
class _Context:
    """This rank's resources for a job."""

    directory: Path
    link: CellLink
    writer: RecordWriter | None
    trace: Path | None
    sampler: Sampler | None


def _run_job(job: Job, context: _Context, backend: Backend) -> None:
    cell, directory, link, writer = job.cell, context.directory, context.link, context.writer
    torch.set_num_threads(cell.threads)
    link.prepare(cell.link)
    epochs_done = checkpoint.available(directory, job)
    data = job.data_sha256 if epochs_done else None
    surroundings = environment.describe(cell, backend, link)
    if writer is not None:
        surroundings["data_sha256"] = data or workload.data_sha256(cell.task)
        surroundings["test_set"] = describe_test_set(cell.task)
        surroundings["model_sha256"] = user_functions.file_sha256(cell.task.model.name)
        writer.record(
            Start(
                cell=cell.id,
                attempt=job.attempt,
                at=utc_now(),
                epochs_done=epochs_done,
                spec=cell.spec(),
                environment=surroundings,
            )
        )
    status, error = _carry_out(job, epochs_done, context)
    if writer is not None:
        writer.record(End(cell=cell.id, attempt=job.attempt, status=status, error=error))
    dist.barrier()
    if status != "failed":  # a failed cell goes on from its last epoch when it is tried again
        checkpoint.clear(directory, cell.id)


def _carry_out(job: Job, epochs_done: int, context: _Context) -> tuple[Status, str | None]:
    """Train the cell; return its status, and the reason unless it completed."""
    try:
        context.link.check()
        return _train(job, epochs_done, context)
    except NonFiniteError as error:
        return "diverged", str(error)
    except (LinkError, DataError) as error:
        return "failed", str(error)


def _train(job: Job, epochs_done: int, context: _Context) -> tuple[Status, str | None]:
    """Train the remaining epochs; return the cell's status, and the reason unless it completed."""
    cell, directory, writer = job.cell, context.directory, context.writer
    data = job.data_sha256 if epochs_done else None
    heartbeat = writer.heartbeat if writer is not None else lambda: None
    replica = set_up(cell, context.link, heartbeat, data_sha256=data)
    with collective_cleanup(replica.close):
        if epochs_done:
            checkpoint.restore(directory, cell.id, epochs_done, replica)
        trainer = Trainer(replica, writer, trace_path=context.trace, sampler=context.sampler)
        for epoch in range(epochs_done, cell.task.epochs):
            record = trainer.epoch(epoch, job.attempt)
            checkpoint.save(directory, cell.id, epoch + 1, replica)
            if writer is not None and record is not None:
                writer.record(record)
                if context.sampler is not None and not record.gpu:
                    writer.notice(context.sampler.missing_metrics_notice)
            dist.barrier()
            checkpoint.forget(directory, cell.id, epoch)
    return "completed", None
