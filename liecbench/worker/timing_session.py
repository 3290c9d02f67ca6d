"""The work of each rank in a paired comparison (``liecbench check``).

The ``liecbench`` command orders the ranks to build a cell (one configuration with one seed), then to time bursts of the
cell's steps, and then to close the cell.
"""

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
from liecbench.launch.events import BurstResult, Closed, Failed, Opened, PairedEvent, Ready, Unknown
from liecbench.launch.orders import CloseCell, OpenCell, PairedOrder, TrainBurst
from liecbench.launch.plans import PairedPlan
from liecbench.network.emulation import WorkerLink
from liecbench.worker import environment
from liecbench.worker.backend_variables import Backend
from liecbench.worker.cell_link import CellLink
from liecbench.worker.cell_setup import set_up
from liecbench.worker.collective_errors import DataError, LinkError, collective_cleanup
from liecbench.worker.event_writer import EventWriter
from liecbench.worker.process_group import join
from liecbench.worker.process_pacing import choose_shaper
from liecbench.worker.rank_measurement import RankMeasurement
from liecbench.worker.replica import Replica
from liecbench.worker.slow_steps import slow_steps
from liecbench.worker.step_timing import time_burst

# Ranks wait in a collective for the next order while the ranks that they are compared with train. The timeout is long,
# because the ``liecbench`` command itself notices ranks that stall.
_COLLECTIVE_TIMEOUT = timedelta(days=1)


def obey_orders(plan: PairedPlan, events: Path, worker_link: WorkerLink | None) -> None:
    """Carry out the orders of the ``liecbench`` command until the command closes the pipe of orders. Collective.

    Rank 0 reads the orders and sends the answers. If a cell cannot be built or trained, the answer says so, and the
    ranks wait for the next order.

    Args:
        plan: The launch's plan, with the path of the pipe of orders.
        events: The pipe for answers.
        worker_link: This rank's shaped link in its network namespace; None if the rank has no namespace.
    """
    join(plan, _COLLECTIVE_TIMEOUT)
    backend = Backend.of(plan, shaped=worker_link is not None)
    link = CellLink(choose_shaper(worker_link, backend, paced=plan.paced))
    writer = EventWriter(events) if dist.get_rank() == 0 else None
    orders = _orders(Path(plan.orders))
    _send(writer, Ready())
    for order in orders:
        assert isinstance(order, OpenCell), "a burst needs an open cell"
        try:
            cell = _known_cell(order.cell)
        except (ValidationError, LiecbenchError, registry.OptionError, TypeError) as error:
            _send(writer, Unknown(reason=str(error).replace("\n", "; ")))
            continue
        try:
            _serve_cell(cell, link, orders, writer, backend)
        except (NonFiniteError, LinkError, DataError) as error:
            _send(writer, Failed(reason=str(error)))
    dist.destroy_process_group()


def _known_cell(spec: dict[str, Any]) -> Cell:
    """Return the cell with the fields ``spec``, as ``Cell.spec`` returns them.

    Raises ValidationError, LiecbenchError, OptionError or TypeError if this version of liecbench does not know a name
    or an option in ``spec``.
    """
    cell = Cell.from_spec(spec)
    make_algorithm(cell, num_samples=0)  # the length of the run does not matter here
    return cell


def _orders(path: Path) -> Iterator[PairedOrder]:
    """Yield the orders of the ``liecbench`` command, such as ``OpenCell``, until the command closes the pipe ``path``.

    Collective. Rank 0 reads the orders and broadcasts them. Meanwhile, the other ranks wait for the next order.
    """
    lines = path.open(encoding="utf-8") if dist.get_rank() == 0 else None
    while True:
        line = [lines.readline() if lines is not None else ""]
        dist.broadcast_object_list(line, src=0)
        if not line[0]:
            return
        yield decode_order(line[0])


def _serve_cell(
    cell: Cell, link: CellLink, orders: Iterator[PairedOrder], writer: EventWriter | None, backend: Backend
) -> None:
    """Build a cell, time a burst of steps for each ``TrainBurst`` in ``orders``, and return at ``CloseCell``.

    Collective.
    """
    torch.set_num_threads(cell.threads)
    link.prepare(cell.link, cell.emulator)
    link.check()
    replica = set_up(cell, link, writer.heartbeat if writer is not None else lambda: None)
    with collective_cleanup(replica.close):
        link.shape()
        with collective_cleanup(link.unshape):
            _send(writer, _opened(replica, link, backend))
            for order in orders:
                if isinstance(order, CloseCell):
                    break
                assert isinstance(order, TrainBurst), "a cell is open already"
                _send(writer, _burst(replica, order))
    _send(writer, Closed())


def _opened(replica: Replica, link: CellLink, backend: Backend) -> Opened:
    """Return the event that tells the ``liecbench`` command that the cell of ``replica`` is built. Collective."""
    kinds = replica.step_kinds
    period = getattr(replica.algorithm, "average_period", 1)
    # Start at the first step of the commonest kind, because the first steps of PowerSGD, for example, are uncompressed.
    first = kinds.index(Counter(kinds).most_common(1)[0][0])
    described = environment.describe(replica.cell, backend, link)
    return Opened(average_period=period, first=first, environment=described)


def _burst(replica: Replica, order: TrainBurst) -> BurstResult:
    """Time the steps that ``order`` asks for; return the slowest rank's seconds and each rank's traffic. Collective."""
    if replica.algorithm.step != order.first:
        replica.algorithm.set_step(order.first)
    all_kinds = [replica.algorithm.step_kind(order.first + step) for step in range(order.steps + 1)]
    added = order.added_seconds
    slowed = (
        slow_steps(replica.optimizer.optimizers[-1], [added.get(kind, 0.0) for kind in all_kinds])
        if added
        else nullcontext()
    )
    with slowed:
        burst = time_burst(replica, order.first, order.steps)
    ranks = burst.ranks
    kinds = all_kinds[1:]  # the first step is not timed
    by_kind = dict.fromkeys(kinds, 0.0)
    for kind, seconds in zip(kinds, burst.step_seconds, strict=True):
        by_kind[kind] += seconds
    return BurstResult(
        seconds=burst.slowest.train_seconds,
        kind_seconds=by_kind,
        kind_steps={kind: kinds.count(kind) for kind in by_kind},
        wall_over_cpu=max(map(_wall_over_cpu, ranks, burst.thread_seconds)),
        train_loss=sum(rank.mean_loss for rank in ranks) / len(ranks),
        sent_bytes=[rank.counters.sent_bytes for rank in ranks],
        received_bytes=[rank.counters.received_bytes for rank in ranks],
        messages=[rank.counters.sent_messages for rank in ranks],
    )


def _wall_over_cpu(sample: RankMeasurement, thread_seconds: float | None) -> float:
    """Return the wall seconds in which a rank computed or loaded data ÷ the CPU seconds of its training thread.

    A ratio above 1 means that the thread waited for a processor. ``thread_seconds`` are the CPU seconds. If
    ``thread_seconds`` is None (unknown) or 0, return 1.
    """
    computing = sample.train_seconds + sample.data_seconds - sample.exposed_seconds
    return computing / thread_seconds if thread_seconds else 1.0


def _send(writer: EventWriter | None, answer: PairedEvent) -> None:
    if writer is not None:
        writer.send(answer)
