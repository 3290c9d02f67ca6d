"""Bursts of steps on request: a cell stays built on its ranks while another side takes its turn."""

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from pydantic import ValidationError

from liecbench.algorithms.base import NonFiniteError
from liecbench.config import registry
from liecbench.config.cell import Cell
from liecbench.config.factory import make_algorithm
from liecbench.errors import LiecbenchError
from liecbench.launch.channel import decode_order
from liecbench.launch.messages import (
    BurstResult,
    CloseCell,
    Closed,
    Failed,
    OpenCell,
    Opened,
    PairedEvent,
    PairedOrder,
    PairedPlan,
    Ready,
    TrainBurst,
    Unknown,
)
from liecbench.network.emulation import WorkerLink
from liecbench.worker import environment
from liecbench.worker.backend_variables import Backend
from liecbench.worker.cell_link import CellLink
from liecbench.worker.cell_setup import set_up
from liecbench.worker.collective_errors import DataError, LinkError, collective_cleanup
from liecbench.worker.event_writer import EventWriter
from liecbench.worker.link_shapers import choose_shaper
from liecbench.worker.process_group import join
from liecbench.worker.rank_measurement import RankMeasurement, check_wire_bytes
from liecbench.worker.replica import Replica
from liecbench.worker.slow_steps import slow_steps
from liecbench.worker.step_timing import time_burst

# A rank waits for as long as the other side's burst may take; who waits in vain is told by the command.
_LONGEST_TURN = timedelta(days=1)


def obey_orders(plan: PairedPlan, events: Path, worker_link: WorkerLink | None) -> None:
    """Carry out orders until there are no more; rank 0 reads them and answers."""
    join(plan, _LONGEST_TURN)
    backend = Backend.of(plan, shaped=worker_link is not None)
    link = CellLink(choose_shaper(worker_link, backend, paced=plan.paced))
    writer = EventWriter(events) if dist.get_rank() == 0 else None
    orders = _orders(Path(plan.orders))
    _answer(writer, Ready())
    for order in orders:
        assert isinstance(order, OpenCell), "a burst needs an open cell"
        try:
            cell = _known_cell(order.cell)
        except (ValidationError, LiecbenchError, registry.OptionError, TypeError) as error:
            _answer(writer, Unknown(reason=str(error).replace("\n", "; ")))
            continue
        try:
            _keep_open(cell, link, orders, writer, backend)
        except (NonFiniteError, LinkError, DataError) as error:
            _answer(writer, Failed(reason=str(error)))
    dist.destroy_process_group()


def _known_cell(spec: dict[str, Any]) -> Cell:
    """The cell, if this version has everything that it names."""
    cell = Cell.from_spec(spec)
    make_algorithm(cell)
    return cell


def _orders(path: Path) -> Iterator[PairedOrder]:
    """Orders as they come, on every rank; blocked, not spinning, in between."""
    lines = path.open() if dist.get_rank() == 0 else None
    while True:
        told = [lines.readline() if lines is not None else ""]
        dist.broadcast_object_list(told, src=0)
        if not told[0]:
            return
        yield decode_order(told[0])


def _keep_open(
    cell: Cell, link: CellLink, orders: Iterator[PairedOrder], writer: EventWriter | None, backend: Backend
) -> None:
    """Build a cell and train what is ordered of it, until it is closed."""
    torch.set_num_threads(cell.threads)
    link.prepare(cell.link)
    link.check()
    replica = set_up(cell, link, writer.heartbeat if writer is not None else lambda: None)
    with collective_cleanup(replica.close):
        link.shape()
        with collective_cleanup(link.unshape):
            _answer(writer, _opened(replica, link, backend))
            for order in orders:
                if isinstance(order, CloseCell):
                    break
                assert isinstance(order, TrainBurst), "a cell is open already"
                _answer(writer, _burst(replica, order))
    _answer(writer, Closed())


def _opened(replica: Replica, link: CellLink, backend: Backend) -> Opened:
    kinds = replica.step_kinds
    period = getattr(replica.algorithm, "average_period", 1)
    first = kinds.index(Counter(kinds).most_common(1)[0][0])  # PowerSGD's first steps are not what it is about
    surroundings = environment.describe(replica.cell, backend, link)
    return Opened(average_period=period, first=first, environment=surroundings)


def _burst(replica: Replica, order: TrainBurst) -> BurstResult:
    """A burst's answer: seconds of the slowest rank, of its steps by kind, bytes and messages of every rank."""
    if replica.algorithm.step != order.first:
        replica.algorithm.set_step(order.first)
    first_kind, *kinds = [replica.algorithm.step_kind(order.first + step) for step in range(order.steps + 1)]
    added = order.added_seconds
    with (
        slow_steps(replica.optimizer, [added.get(kind, 0.0) for kind in (first_kind, *kinds)])
        if added
        else nullcontext()
    ):
        mine = time_burst(replica, order.first, order.steps)
    everyone = [mine] * dist.get_world_size()
    dist.all_gather_object(everyone, mine)
    ranks = [sample for sample, _ in everyone]
    check_wire_bytes(ranks, replica.cell.backend)
    by_kind = dict.fromkeys(kinds, 0.0)
    for kind, seconds in zip(kinds, zip(*(rank.step_seconds for rank in ranks), strict=True), strict=True):
        by_kind[kind] += max(seconds)
    return BurstResult(
        seconds=max(rank.train_seconds for rank in ranks),
        kind_seconds=by_kind,
        kind_steps={kind: kinds.count(kind) for kind in by_kind},
        wall_over_cpu=max(_wall_over_cpu(*sample) for sample in everyone),
        train_loss=sum(rank.mean_loss for rank in ranks) / len(ranks),
        sent_bytes=[rank.counters.sent_bytes for rank in ranks],
        received_bytes=[rank.counters.received_bytes for rank in ranks],
        messages=[rank.counters.sent_messages for rank in ranks],
    )


def _wall_over_cpu(sample: RankMeasurement, thread_seconds: float | None) -> float:
    """What computing took ÷ what the rank's main thread had of a processor: above 1 where it was kept waiting."""
    computing = sample.train_seconds + sample.data_seconds - sample.exposed_seconds
    return computing / thread_seconds if thread_seconds else 1.0


def _answer(writer: EventWriter | None, answer: PairedEvent) -> None:
    if writer is not None:
        writer.send(answer)
