"""The work of each rank that torchrun starts for ``liecbench run``.

Each rank joins the process group once. Then it trains one cell (one configuration with one seed) after the other, and
runs timing sessions.
"""

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from liecbench.algorithms.base import NonFiniteError
from liecbench.config import workload
from liecbench.config.jobs import Job
from liecbench.config.own_code import code_files
from liecbench.launch.plans import TrainingPlan
from liecbench.network.emulation import WorkerLink
from liecbench.results.environment_record import Environment
from liecbench.results.ledger import Ledger
from liecbench.results.records import End, Start, Status, utc_now
from liecbench.worker import checkpoint, environment
from liecbench.worker.backend_variables import Backend
from liecbench.worker.cell_link import CellLink
from liecbench.worker.cell_setup import set_up
from liecbench.worker.collective_errors import DataError, LinkError, UnusableCheckpointError, collective_cleanup
from liecbench.worker.device import gpu_uuids
from liecbench.worker.event_writer import RecordWriter
from liecbench.worker.gpu_telemetry import Sampler
from liecbench.worker.interleaved_session import run_session
from liecbench.worker.label_facts import describe_test_set
from liecbench.worker.process_group import join
from liecbench.worker.process_pacing import choose_shaper
from liecbench.worker.trainer import Trainer


def run_plan(plan: TrainingPlan, events: Path, worker_link: WorkerLink | None) -> None:
    """Carry out the plan on this rank: train the cells of its jobs, then run its timing sessions. Collective.

    Args:
        plan: The plan that the ``liecbench`` command wrote.
        events: The pipe through which rank 0 sends events to the ``liecbench`` command.
        worker_link: This rank's shaped link in its network namespace; None if the rank has no namespace.
    """
    directory = Path(plan.directory)
    join(plan)
    plans = [plan]
    dist.broadcast_object_list(plans, src=0)  # only the first machine's plan has jobs and sessions
    (plan,) = plans
    writer = RecordWriter(Ledger(directory), events) if dist.get_rank() == 0 else None
    backend = Backend.of(plan, shaped=worker_link is not None)
    link = CellLink(choose_shaper(worker_link, backend, paced=plan.paced))
    watches = plan.device == "cuda" and os.environ["LOCAL_RANK"] == "0"
    sampler = Sampler.of(gpu_uuids()) if watches else None
    for job in plan.jobs:
        # A trajectory is trained without link limits, so its steps are traced later, when they are timed on the link.
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
    """The objects with which this rank trains the cell (one configuration with one seed) of a job.

    Attributes:
        directory: The results directory.
        link: This rank's link.
        writer: Writer of records and events on rank 0; None on other ranks.
        trace: File for a timeline of a few steps; None for no timeline.
        sampler: Sampler of this machine's GPUs. One rank per machine has a sampler; None on the machine's other ranks,
            and if the ranks train on CPUs.
    """

    directory: Path
    link: CellLink
    writer: RecordWriter | None
    trace: Path | None
    sampler: Sampler | None


def _run_job(job: Job, context: _Context, backend: Backend) -> None:
    cell, directory, link, writer = job.cell, context.directory, context.link, context.writer
    torch.set_num_threads(cell.threads)
    link.prepare(cell.link, cell.emulator)
    epochs_done = checkpoint.available(directory, job)
    surroundings = environment.describe(cell, backend, link)
    _record_start(job, epochs_done, surroundings, writer)
    try:
        status, error = _carry_out(job, epochs_done, context)
    except UnusableCheckpointError:
        job = dataclasses.replace(job, attempt=job.attempt + 1)
        _record_start(job, 0, surroundings, writer)
        status, error = _carry_out(job, 0, context)
    if writer is not None:
        writer.record(End(cell=cell.id, attempt=job.attempt, status=status, error=error, link=link.tally()))
    dist.barrier()
    if status != "failed":  # if a failed cell is tried again, it resumes from its checkpoint
        checkpoint.clear(directory, cell.id)


def _record_start(job: Job, epochs_done: int, surroundings: dict[str, Any], writer: RecordWriter | None) -> None:
    """Record that training starts after ``epochs_done`` epochs. Do nothing if ``writer`` is None.

    If earlier attempts recorded more than ``epochs_done`` epochs, warn that the epochs after ``epochs_done`` are
    trained again. ``surroundings`` is the result of ``environment.describe``.
    """
    if writer is None:
        return
    cell, data = job.cell, job.data_sha256 if epochs_done else None
    if epochs_done < job.epochs_done:
        again = f"it is trained again from epoch {epochs_done + 1}"
        missing = f"its checkpoint after epoch {job.epochs_done} is missing, damaged or of another model"
        writer.notice(f"{cell.describe()}: {missing}: {again}")
    described = {
        **surroundings,
        "data_sha256": data or workload.data_sha256(cell.task),
        "test_set": describe_test_set(cell.task),
        # Epochs that earlier attempts trained are those of their code.
        "code": (dict(job.code) if epochs_done else code_files(cell)) or None,
    }
    writer.record(
        Start(
            cell=cell.id,
            attempt=job.attempt,
            at=utc_now(),
            epochs_done=epochs_done,
            spec=cell.spec(),
            environment=Environment.of(described),
        )
    )


def _carry_out(job: Job, epochs_done: int, context: _Context) -> tuple[Status, str | None]:
    """Train the cell's epochs that follow the first ``epochs_done``. Return the cell's status and an error message.

    The status is "completed", "diverged" or "failed". The message is None if the cell completed.
    """
    try:
        context.link.check()
        return _train(job, epochs_done, context)
    except NonFiniteError as error:
        return "diverged", str(error)
    except (LinkError, DataError) as error:
        return "failed", str(error)


def _train(job: Job, epochs_done: int, context: _Context) -> tuple[Status, str | None]:
    """Train the epochs that follow the first ``epochs_done``. Save a checkpoint and a record after each epoch.

    Return the status and the error message, which are always "completed" and None. If training fails, an error is
    raised instead.
    """
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
