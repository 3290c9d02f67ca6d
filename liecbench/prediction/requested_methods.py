"""The methods that ``liecbench predict`` predicts: those of the scenario or of the command line, and the baseline."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.config.block_choice import BlockChoice
from liecbench.prediction.baseline_method import WantedBaseline, with_baseline
from liecbench.prediction.method_choice import Method
from liecbench.prediction.named_methods import DEFAULT_ALGORITHMS, DEFAULT_COMPRESSORS, named_methods, parse_server
from liecbench.prediction.prediction_inputs import methods_of, server_of, trained_as

if TYPE_CHECKING:
    from liecbench.config.scenario import Scenario

# Methods are compared at equal values of these fields.
_SETTINGS: Final = frozenset({"workers", "link", "seed"})


def requested_methods(
    scenario: "Scenario | None",
    algorithms: Sequence[str] = (),
    compressors: Sequence[str] = (),
    server: str | None = None,
    baseline: str | None = None,
) -> tuple[Method, ...]:
    """Return the methods to predict, the baseline first.

    If there is a scenario, and no algorithm, compressor or server is given, return the scenario's methods. Otherwise,
    combine algorithms with compressors, and use the default algorithms or compressors if none are given. Combinations
    have the scenario's size and order of blocks. If all cells have the same gradient accumulation and the same
    optimizer, the combinations have them, too.

    Args:
        scenario: The scenario; None if there is none.
        algorithms: The values of ``--algorithm``: names of algorithms, each with or without options.
        compressors: The values of ``--compressor``, in the same form.
        server: The value of ``--server``; None for the scenario's server or the default server.
        baseline: The value of ``--baseline``; None for the scenario's baseline or, without a scenario, ``ddp``.

    Raises:
        LiecbenchError: If a name or an option is wrong, or if an algorithm works with none of the compressors.
    """
    cells = scenario.cells() if scenario is not None else []
    blocks = scenario.block_choice if scenario is not None else BlockChoice()
    place = parse_server(server) if server is not None else None
    if cells and not (algorithms or compressors or place):
        methods = methods_of(cells)
    else:
        names, others = algorithms or DEFAULT_ALGORITHMS, compressors or DEFAULT_COMPRESSORS
        methods = named_methods(names, others, place or server_of(cells), blocks)
    choice = BaselineChoice(algorithm=baseline or "ddp")
    if scenario is not None and baseline is None:
        choice = scenario.baseline_choice.without(_SETTINGS)
    wanted = WantedBaseline(
        choice=choice,
        is_of_scenario=baseline is None,
        cells=cells,
        compressors=compressors,
        server=place,
        blocks=blocks,
    )
    return trained_as(cells, with_baseline(trained_as(cells, methods), wanted))
