"""The method that predictions compare the others with."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from liecbench.config import registry
from liecbench.config.baseline_choice import BaselineChoice
from liecbench.config.block_choice import BlockChoice
from liecbench.config.cell import Cell
from liecbench.errors import LiecbenchError, did_you_mean
from liecbench.prediction.method_choice import Method
from liecbench.prediction.named_methods import DEFAULT_COMPRESSORS, fitting_compressors, named_methods
from liecbench.prediction.prediction_inputs import method_of, methods_of, server_of

if TYPE_CHECKING:
    from liecbench.algorithms.comm.partition import ServerPlace


@dataclass(frozen=True, kw_only=True)
class WantedBaseline:
    """The baseline that the scenario or ``--baseline`` names, and the options of the command line that apply to it.

    Attributes:
        choice: The baseline's algorithm and, optionally, other fields of its method, such as ``accumulate``.
        is_of_scenario: True if the scenario names the baseline, False if ``--baseline`` names it.
        cells: The cells of the scenario. If ``choice`` fixes fields, it must match a cell.
        compressors: The names given with ``--compressor``, each with or without options; empty if there are none.
        server: The place given with ``--server``; None if there is none.
        blocks: The size and the order of blocks, as far as the scenario gives them.
    """

    choice: BaselineChoice
    is_of_scenario: bool = False
    cells: Sequence[Cell] = ()
    compressors: Sequence[str] = ()
    server: "ServerPlace | None" = None
    blocks: BlockChoice = field(default_factory=BlockChoice)

    def of_cells(self) -> tuple[Method, ...]:
        """Return the methods of the cells that ``choice`` matches, without duplicates.

        The compressor and the server that are given on the command line replace those of the cells, unless ``choice``
        fixes them.
        """
        different: dict[str, Cell] = {}
        for cell in self.cells:
            if self.choice.matches(cell.spec()):
                different.setdefault(repr(method_of(cell)), cell)
        return methods_of(map(self._with_options, different.values()))

    def named(self) -> Method:
        """Return a method of the chosen algorithm with the default options of the algorithm."""
        name, known = self.choice.algorithm, registry.names("algorithm")
        if name not in known:
            raise LiecbenchError(f"{self._source} {name}: there is no such algorithm", did_you_mean(name, known))
        compressors, server = self.compressors or DEFAULT_COMPRESSORS, self.server or server_of(self.cells)
        return named_methods([name], compressors, server, self.blocks, self._source)[0]

    @property
    def _source(self) -> str:
        return "the scenario's baseline" if self.is_of_scenario else "--baseline"

    def _with_options(self, cell: Cell) -> Cell:
        if self.server is not None and self._is_free("server", cell):
            cell = cell.model_copy(update={"server": self.server})
        if self.compressors and self._is_free("compressor", cell):
            cls, subject = registry.load("algorithm", self.choice.algorithm), f"{self._source} {self.choice.algorithm}"
            other_baseline = "add --baseline ddp, or " if self.is_of_scenario else ""
            remedy = f"{other_baseline}give another --compressor"
            compressor = fitting_compressors(cls, self.compressors, subject, remedy)[0]
            blocks = self.blocks.fields(cls, compressor)
            free = {name: value for name, value in blocks.items() if name not in self.choice.fixed}
            cell = cell.model_copy(update={"compressor": compressor, **free})
        return cell

    def _is_free(self, name: Literal["compressor", "server"], cell: Cell) -> bool:
        """Return True if the baseline's algorithm takes ``name``, and ``choice`` fixes neither it nor its options."""
        is_taken = registry.takes(registry.load("algorithm", self.choice.algorithm), name)
        return is_taken and self.choice.matches(cell.model_copy(update={name: None}).spec())


def with_baseline(methods: Sequence[Method], wanted: WantedBaseline) -> tuple[Method, ...]:
    """Return the methods, the baseline first.

    - If ``wanted.choice`` names only an algorithm, the baseline is the first of ``methods`` with this algorithm.
    - If it fixes other fields too, the baseline is the first of ``methods`` that is one of ``wanted.of_cells()``.
    - If ``methods`` has no such method, a baseline is added: the first of ``wanted.of_cells()``, or ``wanted.named()``
      if ``wanted.of_cells()`` is empty.

    Raises:
        LiecbenchError: If the baseline's algorithm or a compressor is unknown, or they do not work together.
    """
    own = wanted.of_cells()

    def is_baseline(method: Method) -> bool:
        if wanted.choice.fixed:
            return any(_is_same(method, one) for one in own)
        return method.algorithm.name == wanted.choice.algorithm

    found = next(filter(is_baseline, methods), None)
    if found is not None:
        return (found, *(method for method in methods if method is not found))
    return (own[0] if own else wanted.named(), *methods)


def _is_same(one: Method, other: Method) -> bool:
    """Return True if two methods work alike. Optimizers are compared only if both methods name one."""
    if None in (one.update, other.update):
        one, other = (dataclasses.replace(method, update=None) for method in (one, other))
    return repr(one) == repr(other)
