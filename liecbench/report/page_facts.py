"""Facts that a report states about a run: the machine, the date, the versions, the links, and the scenario."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from liecbench.network.link_map import LinkMap
from liecbench.network.quantity import format_rate
from liecbench.results.cells import CellResult
from liecbench.results.comparison import Comparison
from liecbench.results.directory import SCENARIO_NAME
from liecbench.untrusted import regular_files

_MOST_SCENARIO_BYTES = 2**22


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFacts:
    """A requested link, its measured up and down rates, its emulators, and the number of cells that ran on it."""

    asked: str
    up: str
    down: str
    emulator: str
    num_cells: int


def question(comparison: Comparison) -> str:
    """Return the page's question, with the model, the dataset and the number of workers if all rows share them.

    For example: ``quickstart: does compression pay off for mlp on digits with 2 workers?``
    """
    shared = comparison.shared_fields
    names = ", ".join(directory.resolve().name for directory in comparison.directories)
    task = f" for {shared['model']} on {shared['dataset']}" if {"model", "dataset"} <= shared.keys() else ""
    workers = f" with {shared['workers']} workers" if "workers" in shared else ""
    return f"{names}: does compression pay off{task}{workers}?"


def machine_facts(comparison: Comparison) -> list[str]:
    """Return the dates and machines of the cells as short texts, such as ``8 GB memory`` and ``Linux 6.1.0``.

    The texts state the dates, the processors, the memory, and the versions of Linux, torch, Python and liecbench.
    """
    environments = [cell.environment for cell in _cells(comparison)]
    texts = [
        *(f"{one.cpu or 'CPU'}, {one.num_cpus} cores" for one in environments if one.num_cpus),
        *(f"{one.memory_bytes / 1e9:.0f} GB memory" for one in environments if one.memory_bytes),
        *(f"Linux {one.kernel}" for one in environments if one.kernel),
        *(f"torch {one.torch}" for one in environments if one.torch),
        *(f"Python {one.python}" for one in environments if one.python),
        *(f"liecbench {one.liecbench}" for one in environments if one.liecbench),
    ]
    days = sorted({cell.at[:10] for cell in _cells(comparison) if cell.at})
    return list(dict.fromkeys([*([f"{days[0]} to {days[-1]}" if len(days) > 1 else days[0]] if days else []), *texts]))


def link_facts(comparison: Comparison) -> list[LinkFacts]:
    """Return, for each requested link, the measured rates and the emulators, over all cells that ran on the link."""
    groups: dict[str, list[CellResult]] = {}
    for cell in _cells(comparison):
        groups.setdefault(_link(cell), []).append(cell)
    return [_facts(asked, cells) for asked, cells in groups.items()]


def _facts(asked: str, cells: list[CellResult]) -> LinkFacts:
    measured = [one for cell in cells if cell.environment.link for one in cell.environment.link.measured or ()]
    return LinkFacts(
        asked=asked,
        up=_rates([one.up_bits_per_second for one in measured]),
        down=_rates([one.down_bits_per_second for one in measured]),
        emulator=", ".join(sorted({name for cell in cells for name in cell.emulators})) or "–",
        num_cells=len(cells),
    )


def _rates(rates: list[float]) -> str:
    texts = (
        list(dict.fromkeys(format_rate(int(float(f"{rate:.3g}"))) for rate in (min(rates), max(rates))))
        if rates
        else []
    )
    return " to ".join(texts) or "–"


def details(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Yield (heading, text) pairs that show what was run: each scenario, the environments, and each link."""
    for directory in comparison.directories:
        path = directory / SCENARIO_NAME
        if path.exists():
            text = regular_files.read_bytes(path, _MOST_SCENARIO_BYTES).decode(errors="replace")
            yield f"{directory.resolve().name}: the scenario", text
    found: dict[str, dict[str, None]] = {}
    for cell in _cells(comparison):
        environment = cell.environment.as_dict()
        link = environment.pop("link", {})
        found.setdefault("environment", {})[json.dumps(environment)] = None
        found.setdefault(f"link {_link(cell)}", {})[json.dumps(link)] = None
    for name, texts in found.items():
        yield name, "\n".join(yaml.safe_dump(json.loads(text), allow_unicode=True) for text in texts)


def _link(cell: CellResult) -> str:
    return str(LinkMap.parse(cell.spec["link"]))


def _cells(comparison: Comparison) -> list[CellResult]:
    return [cell for row in comparison.rows for cell in row.cells]
