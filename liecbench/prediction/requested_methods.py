"""The methods that ``liecbench predict`` predicts: those of the scenario or of the command line, and the baseline."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.config.block_choice import BlockChoice
from liecbench.network.link_map import LinkMap
from liecbench.prediction.baseline_method import WantedBaseline, with_baseline
from liecbench.prediction.baseline_setting import BaselineSetting
from liecbench.prediction.method_choice import Method
from liecbench.prediction.named_methods import DEFAULT_ALGORITHMS, DEFAULT_COMPRESSORS, named_methods, parse_server
from liecbench.prediction.prediction_inputs import methods_of, server_of, trained_as, with_delay

if TYPE_CHECKING:
    from liecbench.config.scenario import Scenario

# Fields of a baseline that are none of its method.
_SETTINGS: Final = frozenset({"workers", "link", "seed"})


def requested_setting(
    scenario: "Scenario | None", baseline: str | None, delay_seconds: float | None
) -> BaselineSetting:
    """Return the number of workers and the links that the scenario's baseline fixes.

    They have no effect if ``--baseline`` names another baseline.

    Args:
        scenario: The scenario; None if there is none.
        baseline: The value of ``--baseline``; None for the scenario's baseline.
        delay_seconds: The value of ``--delay``, which replaces the delay of the baseline's links, too; None to keep it.
    """
    if scenario is None or baseline is not None:
        return BaselineSetting()
    fixed = scenario.baseline_choice.fixed
    link = LinkMap.parse(fixed["link"]) if "link" in fixed else None
    return BaselineSetting(workers=fixed.get("workers"), link=None if link is None else with_delay(link, delay_seconds))


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
