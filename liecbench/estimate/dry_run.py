"""The output of ``liecbench run --dry-run``: cells, launches, command lines, estimated bytes and seconds."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from liecbench.config.cell import Cell
from liecbench.config.cell_fields import flat_fields
from liecbench.config.jobs import Job, Session
from liecbench.estimate.cost import job_seconds, launch_seconds
from liecbench.estimate.machine_speed import other_processes, oversubscription, slowdown_alone
from liecbench.estimate.planned_bytes import payload_bytes_per_epoch, traffic
from liecbench.estimate.run_cost import COMMAND_SECONDS, session_costs
from liecbench.estimate.session_cost import SessionCost
from liecbench.launch.added_rates import SEARCH_SECONDS, AddedRate
from liecbench.launch.launch import Launch, group, group_sessions
from liecbench.launch.multinode import Nodes
from liecbench.launch.pending import Pending
from liecbench.network.goodput import slowest_stream
from liecbench.network.quantity import format_rate
from liecbench.prediction.prediction_inputs import method_of
from liecbench.worker.session_rounds import CONTESTANT_SECONDS

# ``Cell.describe`` shows these fields. A scenario has one order of blocks, which methods without it do not take.
_NOT_ADDED = frozenset({"algorithm", "compressor", "workers", "link", "seed", "block_order"})
_WITHOUT_GPU_TIME = " without the time that GPUs compute"


def lines(
    pending: Pending,
    num_cells: int,
    directory: Path,
    nodes: Nodes | None = None,
    *,
    added: Sequence[AddedRate] = (),
    num_narrowable: int = 0,
    break_even_rates: int = 0,
    isolate: bool = False,
    share_gpus: bool = False,
) -> Iterator[str]:
    """Yield the lines that ``liecbench run --dry-run`` prints.

    Args:
        pending: The cells that are still to train, and the timing sessions that are still to run.
        num_cells: The number of all cells of the run, done or not. A cell is one configuration with one seed.
        directory: The results directory.
        nodes: The machines that share the run; None for this machine alone.
        added: The link rates that will be added next, to narrow break-evens; empty if no rate will be added, or if the
            rates are not known yet.
        num_narrowable: The number of methods whose break-evens may be narrowed.
        break_even_rates: The largest number of link rates that may be added per method.
        isolate: True if each cell has a launch (one torchrun) of its own.
        share_gpus: True if ranks may share GPUs over NCCL.
    """
    yield f"{num_cells} cells, {num_cells - len(pending.cells)} of them done; results in {directory}"
    cells = [*(job.cell for job in pending.jobs), *(session.cell for session in pending.sessions)]
    on_gpu = any(cell.device == "cuda" for cell in cells)
    yield from _oversubscribed(cells)
    yield from _lossy(cells)
    if (others := other_processes()) and cells:
        yield f"note: about {others:.1f} other processes compute now; the estimate assumes that they go on"
    varying = _varying(pending.jobs)
    launches = [
        *group(pending.jobs, isolate=isolate, share_gpus=share_gpus),
        *group_sessions(pending.sessions, isolate=isolate, share_gpus=share_gpus),
    ]
    sessions = [session for launch in launches for session in launch.sessions]
    costs = dict(zip(map(id, sessions), session_costs(sessions, directory), strict=True))
    total = slowdown_alone() * COMMAND_SECONDS if launches else 0.0
    for number, launch in enumerate(launches, start=1):
        yield ""
        where = f"{_place(launch)}{_network(launch, nodes)}"
        yield f"launch {number}: {launch.work}, {launch.workers} workers, {where}"
        yield f"  {launch.describe(directory / 'logs' / f'launch-{number}.json', nodes)}"
        total += launch_seconds(launch.workers)
        for job, duration in zip(launch.jobs, _job_seconds(launch), strict=True):
            total += duration
            epochs = f"{job.cell.task.epochs - job.epochs_done} epochs"
            work = f"{epochs}, {_duration(duration)}{_WITHOUT_GPU_TIME if _on_gpu(job) else ''}"
            yield f"  {job.cell.id}  {job.cell.describe()}{_other_fields(job, varying)}: {work}"
            yield f"      {_payload(payload_bytes_per_epoch(job.cell))}"
        for session in launch.sessions:
            total += costs[id(session)].seconds
            yield from _session_lines(session, costs[id(session)])
    if launches:
        sent = sum(map(_sent_bytes, pending.jobs))
        sent += sum(_session_bytes(session, costs[id(session)]) for session in sessions)
        yield ""
        left_out = f"{_WITHOUT_GPU_TIME}, which is not estimated" if on_gpu else ""
        yield f"estimated: {_duration(total)} in all{left_out}, {sent:,} payload bytes sent by all ranks"
    yield from _added_rate_lines(pending, added, num_narrowable, break_even_rates)


def _added_rate_lines(
    pending: Pending, added: Sequence[AddedRate], num_narrowable: int, break_even_rates: int
) -> Iterator[str]:
    """Yield a line on the link rates that a run adds to narrow break-evens; yield nothing if the run adds no rate.

    The line names the rates in ``added``. If the rates are not known yet, the line says how many may be added.

    Args:
        pending: The run's remaining work at the link rates of the scenario.
        added: The next rate to add for each method. Empty if no rate will be added, or if the rates are not known yet
            because ``pending`` has timing sessions.
        num_narrowable: The number of methods whose break-evens may be narrowed.
        break_even_rates: The most link rates to add per method.
    """
    if not num_narrowable or not break_even_rates:
        return
    # The baseline and one method take turns. The last sessions may begin just before the search's time is over.
    once_each = num_narrowable * 2 * CONTESTANT_SECONDS
    most = min(break_even_rates * once_each, SEARCH_SECONDS + once_each)
    limit = f"at most {_duration(most)}, not estimated above; break_even_rates: 0 adds none"
    if added:
        rates = ", ".join(dict.fromkeys(str(one.cells[0].link) for one in added))
        yield f"break-even: timing goes on at {rates} ({limit})"
    elif pending.sessions:
        each = "one link rate" if break_even_rates == 1 else f"up to {break_even_rates} link rates"
        yield f"break-even: {each} per method may be added, where a method is as fast as the baseline ({limit})"


def _session_lines(session: Session, cost: SessionCost) -> Iterator[str]:
    cell = session.cell
    without_gpu = _WITHOUT_GPU_TIME if cell.device == "cuda" else ""
    seconds = f"{_duration(cost.seconds)}{without_gpu}"
    methods = [method_of(contestant.cell) for contestant in session.contestants]
    names = ", ".join(method.label(methods) for method in methods)
    replayed = "" if cost.slowdown is None else f", {cost.slowdown}"
    yield f"  timing session on {cell.link}{replayed}: about {cost.rounds} rounds of {names}: {seconds}"
    yield f"      {len(session.jobs)} cells complete with it{f'; it replays {cost.source}' if cost.source else ''}"


def _oversubscribed(cells: Sequence[Cell]) -> Iterator[str]:
    """Yield a note for each number of workers in ``cells`` that is too large for this machine's cores."""
    for cell in {(cell.workers, cell.threads): cell for cell in cells if _computes(cell)}.values():
        if (load := oversubscription(cell)) > 1:
            cores = round(cell.workers * cell.threads / load)
            threads = f" with {cell.threads} threads each" if cell.threads > 1 else ""
            yield (
                f"note: {cell.workers} workers{threads} share {cores} cores, so each computes "
                f"{load:.2g} times as long as alone; on machines of their own they would not"
            )


def _computes(cell: Cell) -> bool:
    return cell.device == "cpu" and cell.compute == "measured"


def _lossy(cells: Sequence[Cell]) -> Iterator[str]:
    """Yield a note for each link of ``cells`` on which losses keep a TCP stream below the link's rate."""
    for links in dict.fromkeys(cell.link for cell in cells if any(link.loss for link in cell.link.links())):
        stream = slowest_stream(links)
        if stream < min(link.lower_bits_per_second for link in links.links()):
            rate = format_rate(int(round(stream, -4)))
            yield f"note: on {links}, losses leave one TCP stream about {rate}, as estimated by Mathis' formula"


def _job_seconds(launch: Launch) -> list[float]:
    links = [None, *(job.cell.link for job in launch.jobs)]
    return [
        job_seconds(job, link_changes=job.cell.link != before) for job, before in zip(launch.jobs, links, strict=False)
    ]


def _on_gpu(job: Job) -> bool:
    return job.cell.device == "cuda"


def _sent_bytes(job: Job) -> int:
    """Return the payload bytes that all ranks together send in the job's remaining epochs."""
    epochs_left = job.cell.task.epochs - job.epochs_done
    return epochs_left * sum(sent for sent, _ in payload_bytes_per_epoch(job.cell))


def _session_bytes(session: Session, cost: SessionCost) -> int:
    """Return the payload bytes that all ranks together send in a timing session."""
    per_round = 0
    for contestant in session.contestants:
        kinds = traffic(contestant.cell)
        steps = cost.steps[contestant.cell.id]
        per_round += sum(steps.get(name, 0) * sum(sent for sent, _ in kind.ranks) for name, kind in kinds.items())
    return cost.rounds * per_round


def _duration(seconds: float) -> str:
    """Return a duration as text, rounded because it is an estimate."""
    if seconds < 120:
        return f"about {seconds:.0f} s"
    if seconds < 600:
        return f"about {seconds / 60:.1f} min"
    return f"about {seconds / 60:.0f} min" if seconds < 7200 else f"about {seconds / 3600:.1f} h"


def _varying(jobs: Sequence[Job]) -> set[str]:
    """Return the names of the fields whose values differ between jobs.

    Fields that ``Cell.describe`` shows, such as the number of workers, are left out.
    """
    values: dict[str, set[str]] = {}
    for job in jobs:
        for name, value in flat_fields(job.cell.spec()).items():
            if name not in _NOT_ADDED and value is not None:
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
    if launch.paced:
        return "on the loopback, links paced by the processes"
    return "on the unshaped loopback"
