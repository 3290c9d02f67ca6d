"""The methods that ``liecbench predict`` predicts: those of the scenario or of the command line, and the baseline."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from liecbench.config import registry
from liecbench.config.baseline_choice import BaselineChoice
from liecbench.config.block_choice import BlockChoice
from liecbench.errors import LiecbenchError
from liecbench.network.link_map import LinkMap
from liecbench.prediction.baseline_method import WantedBaseline, with_baseline
from liecbench.prediction.baseline_setting import BaselineSetting
from liecbench.prediction.method_choice import Method
from liecbench.prediction.named_methods import (
    DEFAULT_ALGORITHMS,
    DEFAULT_COMPRESSORS,
    fitting_compressors,
    named_compressor,
    named_methods,
    parse_server,
)
from liecbench.prediction.prediction_inputs import methods_of, server_of, trained_as, with_delay

if TYPE_CHECKING:
    from liecbench.algorithms.comm.partition import ServerPlace
    from liecbench.config.scenario import Scenario

# Fields of a baseline that are none of its method.
_SETTINGS: Final = frozenset({"workers", "link"})


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

    If there is a scenario, and no algorithm is given, return the scenario's methods, but with the given compressors and
    the given server in place of their own. Otherwise, combine algorithms with compressors, and use the default
    algorithms or compressors if none are given. Combinations have the scenario's size and order of blocks. If all cells
    have the same gradient accumulation and the same optimizer, the combinations have them, too.

    Args:
        scenario: The scenario; None if there is none.
        algorithms: The values of ``--algorithm``: names of algorithms, each with or without options.
        compressors: The values of ``--compressor``, in the same form.
        server: The value of ``--server``; None for the scenario's server or the default server.
        baseline: The value of ``--baseline``; None for the scenario's baseline or, without a scenario, ``ddp``.

    Raises:
        LiecbenchError: If a name or an option is wrong, if an algorithm works with none of the compressors, or if a
            given compressor works with none of the algorithms.
    """
    cells = scenario.cells() if scenario is not None else []
    blocks = scenario.block_choice if scenario is not None else BlockChoice()
    place = parse_server(server) if server is not None else None
    if cells and not algorithms:
        replaced = (_replaced(method, compressors, place, blocks) for method in methods_of(cells))
        methods = tuple({repr(method): method for several in replaced for method in several}.values())
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
    found = trained_as(cells, with_baseline(trained_as(cells, methods), wanted))
    for text in compressors:
        if named_compressor(text) not in [method.compressor for method in found]:
            raise LiecbenchError(
                f"--compressor {text}: no predicted method works with it",
                "remove it, or give a method that does with --algorithm",
            )
    return found


def _replaced(
    method: Method, compressors: Sequence[str], place: "ServerPlace | None", blocks: BlockChoice
) -> list[Method]:
    """Return a scenario's method with each of the given compressors that it works with, and with the given server."""
    if place is not None and method.server is not None:
        method = dataclasses.replace(method, server=place)
    if not compressors or method.compressor is None:
        return [method]
    cls, subject = registry.load("algorithm", method.algorithm.name), f"{method.algorithm.name} of the scenario"
    remedy = "give another --compressor, or name methods with --algorithm"
    return [
        dataclasses.replace(method, compressor=one, **blocks.fields(cls, one))
        for one in fitting_compressors(cls, compressors, subject, remedy)
    ]
