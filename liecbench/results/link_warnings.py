"""Warnings about the links of a comparison's row. The cells of a row differ only in the seed."""

from collections.abc import Sequence

from liecbench.network.deviation import Deviation, deviations_text
from liecbench.network.link_map import LinkMap
from liecbench.network.link_record import LinkRecord
from liecbench.network.link_tally import tally_warnings
from liecbench.network.measurement import WARNING
from liecbench.results.cells import CellResult


def link_deviations(cells: Sequence[CellResult]) -> tuple[Deviation, ...]:
    """Return each measured rate and round trip of the cells' links that deviates from the scenario's."""
    return tuple(dict.fromkeys(found for link in _recorded(cells) for found in link.deviations()))


def deviation_warning(deviations: Sequence[Deviation]) -> str:
    """Return a warning that a row's links have other rates or round trips than requested.

    The warning describes the first three of ``deviations``, which must not be empty.
    """
    return f"its link is off by more than {WARNING}: {deviations_text(deviations)}"


def link_warnings(cells: Sequence[CellResult]) -> list[str]:
    """Return the warnings about the links of ``cells``, which differ only in the seed.

    Measured rates and round trips that deviate from the scenario's come from ``link_deviations`` instead.
    """
    link = LinkMap.parse(cells[0].spec["link"])
    warnings = list(dict.fromkeys(limit for one in _recorded(cells) if (limit := one.window_limit())))
    tallies = [cell.link_tally for cell in cells if cell.link_tally]
    if cells[0].is_interleaved:  # one session times all seeds: each of their cells has the session's tally
        tallies = [tally for number, tally in enumerate(tallies) if tally not in tallies[:number]]
    warnings += tally_warnings(tallies, link, int(cells[0].spec["workers"]))
    if cells[0].spec.get("enforcement") == "process" and link.shaped:
        warnings.append("paced by the processes, not enforced by the kernel: its times are estimated")
    return warnings


def _recorded(cells: Sequence[CellResult]) -> list[LinkRecord]:
    return list({id(link): link for cell in cells if (link := cell.environment.link)}.values())
