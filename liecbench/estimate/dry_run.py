"""The output of ``liecbench run --dry-run``: a summary, notes, and the launches with their work."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from liecbench.config.cell import Cell
from liecbench.estimate.dry_run_notes import notes
from liecbench.estimate.found_cells import found_lines
from liecbench.estimate.machine_speed import slowdown_alone
from liecbench.estimate.planned_launches import WITHOUT_GPU_TIME, duration_text, planned_launches
from liecbench.estimate.run_cost import COMMAND_SECONDS
from liecbench.launch.added_rates import SEARCH_SECONDS, AddedRate
from liecbench.launch.multinode import Nodes
from liecbench.launch.pending import Pending
from liecbench.results.cells import CellResult
from liecbench.worker.session_rounds import CONTESTANT_SECONDS


def lines(
    pending: Pending,
    cells: Sequence[Cell],
    directory: Path,
    nodes: Nodes | None = None,
    *,
    found: Mapping[str, CellResult] | None = None,
    refusal: str | None = None,
    added: Sequence[AddedRate] = (),
    num_narrowable: int = 0,
    break_even_rates: int = 0,
    isolate: bool = False,
    share_gpus: bool = False,
) -> Iterator[str]:
    """Yield the lines that ``liecbench run --dry-run`` prints. Those about the whole run come first.

    Args:
        pending: The cells that are still to train, and the timing sessions that are still to run.
        cells: All cells of the run, done or not. A cell is one configuration with one seed.
        directory: The results directory.
        found: The results in the directory, by cell id; None if there are none.
        nodes: The machines that share the run; None for this machine alone.
        refusal: The reason why this machine cannot run what is left; None if it can.
        added: The link rates that will be added next, to narrow break-evens; empty if no rate will be added, or if the
            rates are not known yet.
        num_narrowable: The number of methods whose break-evens may be narrowed.
        break_even_rates: The largest number of link rates that may be added per method.
        isolate: True if each cell has a launch (one torchrun) of its own.
        share_gpus: True if ranks may share GPUs over NCCL.
    """
    yield f"{len(cells)} cells, {len(cells) - len(pending.cells)} of them done; results in {directory}"
    there = list(found_lines(cells, found or {}, pending))
    launches = planned_launches(pending, cells, directory, nodes, isolate=isolate, share_gpus=share_gpus)
    if launches:
        total = slowdown_alone() * COMMAND_SECONDS + sum(launch.seconds for launch in launches)
        left = [*(job.cell for job in pending.jobs), *(session.cell for session in pending.sessions)]
        on_gpu = any(cell.device == "cuda" for cell in left)
        left_out = f"{WITHOUT_GPU_TIME}, which is not estimated" if on_gpu else ""
        sent = sum(launch.sent_bytes for launch in launches)
        of_all = " for what is left" if there else " in all"
        yield f"estimated: {duration_text(total)}{of_all}{left_out}, {sent:,} payload bytes sent by all ranks"
    if refusal is not None:
        yield f"not on this machine: {refusal}"
    yield from _added_rate_lines(pending, added, num_narrowable, break_even_rates)
    yield from notes(pending)
    if there:
        yield ""
        yield f"already in {directory}:"
        yield from there
    for launch in launches:
        yield ""
        yield from launch.lines


def _added_rate_lines(
    pending: Pending, added: Sequence[AddedRate], num_narrowable: int, break_even_rates: int
) -> Iterator[str]:
    """Yield a line on the link rates that a run adds to narrow break-evens; yield nothing if the run adds no rate.

    While ``pending`` has timing sessions, the rates are not known, and the line says how many may be added. Afterwards,
    the line names the rates.

    Args:
        pending: The run's remaining work at the link rates of the scenario.
        added: The next rate to add for each method. Empty if no rate will be added, and while ``pending`` has timing
            sessions.
        num_narrowable: The number of methods whose break-evens may be narrowed.
        break_even_rates: The most link rates to add per method.
    """
    if not num_narrowable or not break_even_rates:
        return
    # The baseline and one method take turns. The last sessions may begin just before the search's time is over.
    once_each = num_narrowable * 2 * CONTESTANT_SECONDS
    most = min(break_even_rates * once_each, SEARCH_SECONDS + once_each)
    limit = f"at most {duration_text(most)}, not estimated above; break_even_rates: 0 adds none"
    if added:
        rates = ", ".join(dict.fromkeys(str(one.cells[0].link) for one in added))
        yield f"break-even: timing goes on at {rates} ({limit})"
    elif pending.sessions:
        each = "one link rate" if break_even_rates == 1 else f"up to {break_even_rates} link rates"
        yield f"break-even: {each} per method may be added, where a method is as fast as the baseline ({limit})"
