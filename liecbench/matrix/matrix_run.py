"""Run the cells of a scenario's matrix, for the command ``liecbench run`` and the function ``liecbench.run``."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path

from liecbench.config.included_cells import included_notes
from liecbench.config.loader import load_scenario
from liecbench.config.selection import select
from liecbench.console.console import console, name_full_disk, say
from liecbench.diagnostics.link_support import require_emulator
from liecbench.errors import Interruption, MachineError
from liecbench.estimate.cost import stall_timeout
from liecbench.estimate.dry_run import lines
from liecbench.estimate.replay_limit import refuse_long_replays
from liecbench.launch.added_rates import AddedRate, num_narrowable, rates_to_add, with_added
from liecbench.launch.gpu_requirements import require_cuda
from liecbench.launch.launch import follow
from liecbench.launch.multinode import Leader
from liecbench.launch.pending import Pending, jobs_left
from liecbench.launch.recorded_launch import RunSettings
from liecbench.launch.runner import check_nodes, check_sharing, run_jobs
from liecbench.launch.template_client import not_inherited
from liecbench.matrix.progress import ConsoleProgress
from liecbench.matrix.run_request import RunRequest
from liecbench.results.asked_cells import AskedCells, write_asked
from liecbench.results.changed_code import changed_code
from liecbench.results.comparison import Comparison
from liecbench.results.comparison_of_cells import compare
from liecbench.results.comparison_settings import ComparisonSettings
from liecbench.results.directory import ResultsDirectory, Snapshot, refuse_existing, require_usable
from liecbench.results.other_seeds import other_seeds_notes


class MatrixRun:
    """A run of a scenario's cells, which writes to a results directory and continues the results that are there.

    Args:
        request: The request for the run.

    Attributes:
        directory: The results directory.
        nodes: The machines of the run; None if this machine runs alone.

    Raises:
        LiecbenchError: If the scenario has a mistake, or if a cell cannot run on this machine.
    """

    def __init__(self, request: RunRequest) -> None:
        self._request = request
        choose = functools.partial(select, conditions=request.only)
        loaded = load_scenario(request.scenario, request.assignments, choose)
        self.directory = request.out or Path("results") / loaded.name
        self.nodes = request.nodes()
        if request.fresh:
            refuse_existing(self.directory)
        self._snapshot = Snapshot(self.directory)
        require_usable(self._snapshot)
        self._scenario = loaded.resuming(cell.spec for cell in self._snapshot.cells.values() if cell.is_interleaved)
        self._cells = choose(self._scenario.cells())
        self._pending = self._checked_pending()

    def dry_run(self) -> Iterator[str]:
        """Yield the lines that ``--dry-run`` prints: what would run, and how long it would take.

        If this machine lacks GPUs that a cell needs, a line says so.
        """
        yield from lines(
            *(self._pending, self._cells, self.directory, self.nodes),
            found=self._snapshot.cells,
            refusal=self._refusal(),
            added=[] if self._pending.sessions else self._added_rates(),
            num_narrowable=num_narrowable(self._cells, baseline=self._baseline),
            break_even_rates=self._break_even_rates,
            isolate=self._request.isolate,
            share_gpus=self._request.share_gpus,
        )
        yield from included_notes(self._scenario)
        yield from changed_code(self._cells, self._snapshot.cells)

    def _refusal(self) -> str | None:
        try:
            self._check_gpus()
        except MachineError as error:
            return str(error)
        return None

    def _check_gpus(self) -> None:
        """Raise MachineError if a cell that is still to be run needs GPUs that this machine does not have."""
        left = (cell for cell in self._cells if cell.id in self._pending.cells)
        require_cuda(left, num_nodes=self._request.num_nodes, share_gpus=self._request.share_gpus)

    def follow(self) -> bool:
        """Launch this machine's ranks each time machine 0 asks for it, until machine 0 closes the connection.

        Each time, wait until the ranks have ended. Return True if all launches succeeded.

        Raises:
            MachineError: If a cell that is still to be run needs GPUs that this machine does not have.
        """
        self._check_gpus()
        assert self.nodes is not None, "only other machines than machine 0 follow"
        return follow(self.nodes, self.directory, lambda line: say(line, self._request.quiet))

    def execute(self) -> Comparison:
        """Run those cells that have neither completed nor diverged, and return the comparison of all cells of the run.

        Raises:
            MachineError: If a cell that is left needs GPUs that this machine does not have.
        """
        self._check_gpus()
        with name_full_disk(self.directory), ResultsDirectory(self._snapshot) as results:
            results.write_scenario(self._scenario)
            write_asked(self.directory, AskedCells.of(self._cells, self._request.only))
            self._run_rest(results)
        if (self.directory / "traces").is_dir() and self._request.trace:
            say(f"timelines are in {self.directory / 'traces'}; open them at ui.perfetto.dev", self._request.quiet)
        settings = ComparisonSettings.of(self._scenario.stored())
        cells = with_added(self._cells, self._snapshot.cells)
        return compare(
            cells,
            baseline=settings.baseline,
            target_accuracy=settings.target_accuracy,
            target_loss=settings.target_loss,
            tolerances=settings.tolerances,
            directories=[self.directory],
            only=self._request.only,
            notes=other_seeds_notes(cells, self._snapshot.cells.values(), self.directory),
        )

    def added_rate_failed(self) -> bool:
        """Return True if timing failed at a link rate that was added to narrow a method's break-even."""
        cells = self._snapshot.cells
        wanted = [cell.id for one in self._added_rates() for cell in one.cells]
        return any(cell in cells and cells[cell].status == "failed" for cell in wanted)

    @property
    def _baseline(self) -> str:
        return self._scenario.baseline_choice.algorithm

    @property
    def _break_even_rates(self) -> int:
        """The largest number of link rates that may be added per method to narrow the method's break-even.

        0 if the scenario's baseline fixes further fields besides the algorithm, such as ``workers``.
        """
        return 0 if self._scenario.baseline_choice.fixed else self._scenario.break_even_rates

    def _added_rates(self) -> list[AddedRate]:
        """Return further link rates at which methods must be timed to narrow the ranges that contain break-evens.

        Call this only after all timing sessions on the scenario's own links.
        """
        return rates_to_add(
            self._cells,
            self._snapshot.cells,
            baseline=self._baseline,
            precision=self._scenario.timing_precision,
            at_most=self._break_even_rates,
        )

    def _checked_pending(self) -> Pending:
        """Return the work that is left; raise LiecbenchError if a cell cannot run on this machine."""
        cells = self._cells
        if self.nodes:
            check_nodes(cells, self.nodes)
        if self._request.share_gpus:
            check_sharing(cells)
        precision = self._scenario.timing_precision
        pending = jobs_left(cells, self._snapshot.cells, baseline=self._baseline, precision=precision)
        left = (cell for cell in cells if cell.id in pending.cells)
        require_emulator((cell.link, cell.emulator) for cell in left if cell.enforcement == "kernel")
        refuse_long_replays(pending.sessions, self._snapshot.path)
        return pending

    def _run_rest(self, results: ResultsDirectory) -> None:
        """Run those cells that have neither completed nor diverged, and show progress.

        The caller must hold the lock of the results directory.
        """
        cells, quiet = self._cells, self._request.quiet
        trajectories = (cell.trajectory for cell in cells if cell.timing == "interleaved" and cell.is_trained)
        timeouts = stall_timeout({cell.id: cell for cell in (*cells, *trajectories)}, self._scenario.step_timeout)
        run = RunSettings(
            stall_timeout=timeouts,
            baseline=self._baseline,
            precision=self._scenario.timing_precision,
            break_even_rates=self._break_even_rates,
            isolate=self._request.isolate,
            share_gpus=self._request.share_gpus,
            trace=self._request.trace,
        )
        pending = run.pending(cells, results.snapshot.cells)
        say(results.describe(cells, pending.cells, pending.jobs), quiet)
        say(not_inherited(), quiet)
        for sentence in changed_code(cells, results.snapshot.cells):
            say(sentence, quiet=False)  # --quiet leaves out progress, not that results are of other code
        progress: ConsoleProgress | None = None
        try:
            with (
                Leader(self.nodes) if self.nodes else contextlib.nullcontext() as leader,
                ConsoleProgress(console(stderr=True, quiet=quiet), pending, len(cells)) as progress,
            ):
                run_jobs(cells, results, progress, dataclasses.replace(run, leader=leader))
        except (Interruption, KeyboardInterrupt):
            kept = f"interrupted; every finished epoch is kept in {results.path}"
            anew = ", but the timing session starts anew" if progress is not None and progress.is_timing else ""
            say(f"{kept}{anew}. To continue: {self._request.again}", quiet=False)
            raise
