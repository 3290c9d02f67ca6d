"""One launch seen from a rank: join the group once, then one cell after the other."""

import json
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from liecbench import machine
from liecbench.algorithms.base import NonFiniteError
from liecbench.cell import Cell, Job
from liecbench.link import Link
from liecbench.network import WorkerLink
from liecbench.record import End, Ledger, Start, Status, utc_now
from liecbench.worker import checkpoint
from liecbench.worker.journal import Journal
from liecbench.worker.training import Training


class ShapedLink:
    """A rank's link while a cell trains: set, measured where it changed, lifted outside training."""

    def __init__(self, link: WorkerLink | None) -> None:
        self._link, self._now = link, Link.parse("none")
        self.measured: list[dict[str, float]] | None = None

    def prepare(self, link: Link) -> None:
        """Measure ``link`` on every rank at once, unless it is the one of the cell before."""
        if self._link is None or link == self._now:
            return
        self._now = link
        self.shape()
        rates = self._link.measure(link)
        self.lift()
        self.measured = [{} for _ in range(dist.get_world_size())]
        dist.all_gather_object(self.measured, rates)

    def shape(self) -> None:
        """Hold every rank to its rates from here on."""
        dist.barrier()
        if self._link is not None:
            self._link.shape(self._now)
        dist.barrier()

    def lift(self) -> None:
        """Let every rank run free from here on."""
        dist.barrier()
        if self._link is not None:
            self._link.lift()

    def wire_bytes(self) -> tuple[int, int] | None:
        """Bytes sent and received so far; None where this rank has no interface of its own."""
        return self._link.wire_bytes() if self._link is not None else None

    def describe(self) -> dict[str, Any]:
        """Who enforces the link, and what it was measured to carry."""
        enforcement = "none" if self._link is None else "kernel"
        return {"enforcement": enforcement, "asked": self._now.spec(), "measured": self.measured}


def run_plan(plan_path: Path, events: Path, worker_link: WorkerLink | None) -> None:
    """Train every cell of the plan."""
    plan = json.loads(plan_path.read_text())
    directory = Path(plan["directory"])
    dist.init_process_group("gloo")
    journal = Journal(Ledger(directory), events) if dist.get_rank() == 0 else None
    link = ShapedLink(worker_link)
    for entry in plan["jobs"]:
        job = Job(cell=Cell.from_spec(entry["spec"]), attempt=entry["attempt"], epochs_done=entry["epochs_done"])
        _run_job(job, directory, link, journal)
    dist.destroy_process_group()


def _run_job(job: Job, directory: Path, link: ShapedLink, journal: Journal | None) -> None:
    cell = job.cell
    torch.set_num_threads(cell.threads)
    link.prepare(cell.link)
    epochs_done = checkpoint.available(directory, job)
    if journal is not None:
        environment = {**machine.describe(threads=cell.threads), "gpu": None, "link": link.describe()}
        journal.record(
            Start(
                cell=cell.id,
                attempt=job.attempt,
                at=utc_now(),
                epochs_done=epochs_done,
                spec=cell.spec(),
                environment=environment,
            )
        )
    training = Training(cell, link, journal)
    error = None
    try:
        if epochs_done:
            checkpoint.restore(directory, cell.id, epochs_done, training)
        for epoch in range(epochs_done, cell.task.epochs):
            record = training.epoch(epoch, job.attempt)
            checkpoint.save(directory, cell.id, epoch + 1, training)
            if journal is not None and record is not None:
                journal.record(record)
            dist.barrier()
            checkpoint.forget(directory, cell.id, epoch)
    except NonFiniteError as diverged:
        error = str(diverged)
    training.close()
    status: Status = "completed" if error is None else "diverged"
    if journal is not None:
        journal.record(End(cell=cell.id, attempt=job.attempt, status=status, error=error))
        checkpoint.clear(directory, cell.id)
