"""The scenario, and its expansion into cells (training runs), one for each combination of the matrix."""

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Self

from annotated_types import Ge, Gt, Le
from pydantic import Field, PrivateAttr

from liecbench.config import registry
from liecbench.config.auto_compute import with_compute
from liecbench.config.axes import AXES, AlgorithmChoice, IncludedCells, Matrix, PartialCell, PartialTask
from liecbench.config.baseline_choice import BaselineChoice
from liecbench.config.block_bytes import BlockBytes
from liecbench.config.block_choice import BlockChoice
from liecbench.config.cell import BlockOrder, Cell, Enforcement, Server, Threads
from liecbench.config.cell_keys import measured_setting_key
from liecbench.config.choice import Model
from liecbench.config.compute_choice import Compute, ComputeChoice, Dilation
from liecbench.config.exclusion import matches
from liecbench.config.matrix_point import MatrixPoint, Placed, placed_axes, placed_fields
from liecbench.config.option_defaults import Resolve, resolved, resolved_task, unresolved
from liecbench.config.scenario_name import ScenarioName
from liecbench.config.timing_choice import FINEST_PRECISION, TimingChoice
from liecbench.config.yaml_source import Key
from liecbench.network.link_map import LinkMap
from liecbench.network.mechanism import Emulator
from liecbench.profiles.profile_store import ProfileFile

MATRIX: Key = ("matrix",)
# Keys that have no meaning if nothing is trained.
OF_TRAINING: Final = ("target_accuracy", "target_loss", "accuracy_tolerance", "loss_tolerance")


class Scenario(Model):
    """The contents of a scenario file."""

    name: ScenarioName = Field(description="the scenario's name; results go to results/NAME")
    task: PartialTask = Field(description="what is trained; a field may also be a list in the matrix")
    matrix: Matrix = Field(description="every combination of these values is a cell")
    exclude: list[PartialCell] = Field([], description="leave out the cells that have all values of an entry")
    include: list[IncludedCells] = Field([], description="combinations to add; other fields: the matrix's first values")
    server: Server = Field("sharded", description="root: rank 0 is the server; sharded: every rank serves a shard")
    block_bytes: BlockBytes | None = Field(
        None,
        description="default: the compressor's preferred size, else 26214400; for ddp and its kin DDP's own buckets",
    )
    block_order: BlockOrder = Field(
        "backward",
        description="backward: blocks are filled from the last parameter, whose gradient is ready first; forward: from "
        "the first, as in the LIEC-SGD authors' code",
    )
    threads: Threads = Field(1, description="CPU threads per rank")
    backend: Literal["gloo", "nccl"] = Field("gloo", description="nccl: with device: cuda and a GPU per rank")
    device: Literal["cpu", "cuda"] = Field("cpu", description="where the ranks compute")
    enforcement: Enforcement = Field("kernel", description="what limits the links: process if the kernel cannot")
    emulator: Emulator = Field(
        "auto",
        description="what emulates the links: netem (and token buckets of the kernel), or delay_line, a process; "
        "auto: the delay line if it can carry the rates",
    )
    timing: TimingChoice = Field(
        "interleaved",
        description="interleaved: train with links lifted, and time the steps of all methods in turns on each link; "
        "end_to_end: train on the links",
    )
    timing_precision: Annotated[float, Ge(FINEST_PRECISION), Le(1)] = Field(
        0.02, description="the precision to which every speed-up is to be known, as a fraction"
    )
    break_even_rates: Annotated[int, Ge(0), Le(20)] = Field(
        4,
        description="with interleaved timing, how many link rates may be added per method to narrow its break-even to "
        "±10 %, if it is faster than the baseline on one link and slower on another; 0: none",
    )
    step_timeout: Annotated[float, Ge(2)] | None = Field(
        None, description="a cell fails after this many seconds without a step; default: 300 + 10 × its wire seconds"
    )
    compute: ComputeChoice = Field(
        "auto",
        description="measured: the ranks compute; replayed: they sleep as long as a rank computes that has the machine "
        "for itself; a profile's file: as long as this profile says; auto: replayed if ranks would share cores",
    )
    dilation: Dilation = Field(
        "auto",
        description="with replayed compute, everything runs this many times slower, and times are divided by it, so "
        "that few cores emulate fast links; auto: the smallest number at which the cores keep up",
    )
    baseline: str | dict[str, str | bool | int | float] = Field(
        "ddp", description="the algorithm to compare with, or fields such as {algorithm: liec, workers: 2}"
    )
    target_accuracy: Annotated[float, Gt(0), Le(1)] | None = Field(
        None, description="the accuracy, from 0 to 1, that time and bytes to accuracy refer to"
    )
    target_loss: Annotated[float, Gt(0)] | None = Field(None, description="the target of language models: a test loss")
    accuracy_tolerance: Annotated[float, Gt(0), Le(1)] = Field(
        0.005, description="an accuracy counts as the baseline's if it is lower by less than this"
    )
    loss_tolerance: Annotated[float, Gt(0)] = Field(
        0.02, description="likewise for language models: a test loss that is higher by less than this, in nats"
    )

    _begun: Mapping[str, Compute] = PrivateAttr(default_factory=dict)

    def cells(self) -> list[Cell]:
        """Return the cells without duplicates: those of the matrix that are not excluded, then those of ``include``."""
        return list({cell.id: cell for _, cell in self.kept}.values())

    def stored(self) -> dict[str, Any]:
        """Return the scenario's fields as plain JSON values, to store in a results directory.

        Defaults are included, and fields that are None are left out. Targets and tolerances are also left out if the
        scenario trains nothing. The default baseline is left out if no cell has its algorithm. ``compute: auto`` is
        stored as ``measured`` if the ranks of all cells compute, and as ``replayed`` if the ranks of all cells replay a
        profile. If cells differ, ``auto`` is stored.
        """
        fields = self.model_dump(mode="json", exclude_none=True)
        if not self.is_trained:
            fields = {name: value for name, value in fields.items() if name not in OF_TRAINING}
        names = {cell.algorithm.name for cell in self.cells()}
        if "baseline" not in self.model_fields_set and self.baseline not in names:
            del fields["baseline"]  # a scenario that chooses a baseline without cells is refused
        if self.compute == "auto" and len(found := {cell.compute for cell in self.cells()}) == 1:
            (fields["compute"],) = found
            fields |= {"dilation": "auto"} if fields["compute"] == "measured" else {}
        return fields

    def measured(self) -> Self:
        """Return a copy of the scenario with ``compute: measured``: ranks compute instead of replaying a profile."""
        return self.model_copy(update={"compute": "measured", "dilation": "auto"})

    def resuming(self, specs: Iterable[Mapping[str, Any]]) -> Self:
        """Return a copy of the scenario in which ``compute: auto`` follows the choices of an earlier run.

        ``compute: auto`` chooses whether the ranks of a cell compute or replay a profile. For each cell, the
        copy keeps the choice that the earlier run made for cells of the same setting, such as the same link and number
        of workers. If the earlier run timed no such cells, the choice depends on this machine, which may differ from
        the machine of the earlier run.

        Args:
            specs: The specs of the cells that the earlier run timed.
        """
        resumed = self.model_copy()
        resumed._begun = {measured_setting_key(spec): spec.get("compute", "measured") for spec in specs}
        return resumed

    def __copy__(self) -> Self:
        """Return a copy without the cached cells, because ``model_copy`` may change a field of the copy."""
        copied = super().__copy__()
        for name in ("kept", "product"):
            copied.__dict__.pop(name, None)
        return copied

    @property
    def is_trained(self) -> bool:
        """True if the scenario trains models; False if it only times steps of profiles."""
        return not any("profile" in point.fields for point in self.points())

    @property
    def profiles(self) -> tuple[ProfileFile, ...]:
        """The profiles that the scenario names."""
        values = [self.compute, *(point.value("profile") for point in self.points())]
        found = {value.sha256: value for value in values if isinstance(value, ProfileFile)}
        return tuple(found.values())

    @property
    def baseline_choice(self) -> BaselineChoice:
        """The baseline: its algorithm and, if given, other fields of its cells, such as ``workers: 2``."""
        return BaselineChoice.parse(self.baseline)

    @property
    def block_choice(self) -> BlockChoice:
        """The size and the order of blocks, as far as the scenario gives them."""
        return BlockChoice(block_bytes=self.block_bytes, block_order=self.block_order)

    @functools.cached_property
    def kept(self) -> tuple[tuple[MatrixPoint, Cell], ...]:
        """The points of the matrix that are not excluded, then those of all ``include`` entries, each with its cell."""
        return tuple(
            (point, cell)
            for point, cell in self.product
            if point.section != MATRIX or not any(matches(cell, entry) for entry in self.exclude)
        )

    @functools.cached_property
    def product(self) -> tuple[tuple[MatrixPoint, Cell], ...]:
        """All points of the matrix, even excluded ones, then those of all ``include`` entries, each with its cell."""
        return tuple((point, self.cell(point)) for point in self.points())

    def points(self) -> Iterator[MatrixPoint]:
        """Yield every combination of the matrix, then every combination of each entry of ``include``.

        If an entry of ``include`` lacks an axis, it gets the axis's first value in the matrix.
        """
        task = placed_fields(self.task, ("task",))
        defaults = {
            "link": Placed(value=LinkMap.parse("none"), path=(*MATRIX, "link")),
            "server": Placed(value=self.server, path=("server",)),
            "seed": Placed(value=0, path=(*MATRIX, "seed")),
        }
        axes = {**{name: (value,) for name, value in defaults.items()}, **placed_axes(self.matrix, MATRIX)}
        first = {name: values[:1] for name, values in axes.items()}
        sections: dict[Key, Mapping[str, Sequence[Placed]]] = {MATRIX: axes}
        for index, entry in enumerate(self.include):
            section: Key = ("include", index)
            sections[section] = {**first, **placed_axes(entry, section)}
        for section, values in sections.items():
            names = [name for name in AXES if name in values]
            for combination in itertools.product(*(values[name] for name in names)):
                yield MatrixPoint.merge(section, task, dict(zip(names, combination, strict=True)))

    def as_written(self) -> dict[str, Cell]:
        """Return the scenario's cells by id, without the defaults of options that the scenario does not set.

        The options are those of the algorithm, compressor, dataset and model. Their defaults may differ between
        versions of liecbench. Each key is the id that the cell has in ``cells``, where the defaults are filled in.
        """
        return {cell.id: self.cell(point, unresolved) for point, cell in self.kept}

    def cell(self, point: MatrixPoint, resolve: Resolve | None = None) -> Cell:
        """Return the cell of one combination of the matrix, or of an entry of ``include``.

        Args:
            point: The combination.
            resolve: ``unresolved`` to give algorithm, compressor, dataset and model only the options that the scenario
                gives. ``resolved`` or None to add the defaults of all their other options.
        """
        resolve = resolve or resolved
        algorithm: AlgorithmChoice = point.value("algorithm")
        cls = registry.load("algorithm", algorithm.name)
        compressor = point.value("compressor") if registry.takes(cls, "compressor") else None
        cell = Cell(
            algorithm=resolve("algorithm", algorithm),
            compressor=None if compressor is None else resolve("compressor", compressor),
            server=point.value("server") if registry.takes(cls, "server") else None,
            **self.block_choice.fields(cls, compressor),
            workers=point.value("workers"),
            link=point.value("link"),
            seed=point.value("seed"),
            task=resolved_task(point, resolve),
            threads=self.threads,
            backend=self.backend,
            device=self.device,
            enforcement=self.enforcement,
            emulator=self.emulator,
            timing=self.timing,
        )
        begun = self._begun.get(cell.setting) if self._begun else None
        return with_compute(cell, self.compute, self.dilation, begun)
