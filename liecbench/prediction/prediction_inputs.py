"""The inputs of predictions, taken from a scenario, a profile and the options of ``liecbench predict``."""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from liecbench.config import workload_sizes
from liecbench.config.cell import Cell
from liecbench.config.optimizer_fields import update_of
from liecbench.errors import LiecbenchError
from liecbench.network.link import Link
from liecbench.network.link_map import LinkMap
from liecbench.network.quantity import DELAY, RATE
from liecbench.prediction.method_choice import Method
from liecbench.profiles.profile import Profile

if TYPE_CHECKING:
    from liecbench.algorithms.comm.partition import ServerPlace

_MOST_WORKERS: Final = 100_000


def methods_of(cells: Iterable[Cell]) -> tuple[Method, ...]:
    """Return the methods of cells, without duplicates."""
    methods = map(method_of, cells)
    return tuple({repr(method): method for method in methods}.values())


def trained_as(cells: Iterable[Cell], methods: Sequence[Method]) -> tuple[Method, ...]:
    """Return ``methods``, but with the gradient accumulation and the optimizer of ``cells``.

    Return ``methods`` unchanged if there are no cells, or if cells differ in the accumulation or in the optimizer.
    """
    own = methods_of(cells)
    if len({repr((method.accumulate, method.update)) for method in own}) != 1:
        return tuple(methods)
    return tuple(dataclasses.replace(method, accumulate=own[0].accumulate, update=own[0].update) for method in methods)


def server_of(cells: Iterable[Cell]) -> "ServerPlace":
    """Return the place of the server in all cells that have one; ``sharded`` if there are none, or if they differ."""
    places = {cell.server for cell in cells if cell.server is not None}
    return min(places) if len(places) == 1 else "sharded"


def method_of(cell: Cell) -> Method:
    """Return a cell's method: its algorithm, compressor, server, blocks, gradient accumulation and optimizer.

    If the cell is not trained, because its task is a profile, ``update`` of the result is None. This means the
    optimizer of the profile.
    """
    return Method(
        algorithm=cell.algorithm,
        compressor=cell.compressor,
        server=cell.server,
        block_bytes=cell.block_bytes,
        block_order=cell.block_order,
        accumulate=cell.task.accumulate,
        update=update_of(cell.task) if cell.is_trained else None,
    )


def parse_workers(text: str) -> tuple[int, ...]:
    """Return the numbers of workers in a text such as ``8,64``, without duplicates.

    Raises LiecbenchError if a number is not from 1 to 100 000.
    """
    found = []
    for part in _parts(text):
        if not part.isdecimal() or len(part) > len(str(_MOST_WORKERS)) or not 1 <= int(part) <= _MOST_WORKERS:
            raise LiecbenchError(
                f"--workers {text}: {part!r} is no number of workers",
                f"write whole numbers from 1 to {_MOST_WORKERS:,}, such as 8,64",
            )
        found.append(int(part))
    return tuple(dict.fromkeys(found))


def parse_links(text: str, delay_seconds: float | None = None) -> tuple[LinkMap, ...]:
    """Return the links in ``text``, without duplicates.

    A rate such as ``100gbit`` is accepted, although links cannot be shaped to so high a rate.

    Args:
        text: Rates and names of presets, separated by commas, such as ``100mbit,1gbit``.
        delay_seconds: The one-way delay of every link. If None, a preset keeps its own delay, and a link that is given
            by a rate has no delay.

    Raises:
        LiecbenchError: If a part of ``text`` is no link, or if a rate is below 1kbit or above 1000tbit.
    """
    return tuple(dict.fromkeys(with_delay(_link(part), delay_seconds) for part in _parts(text)))


def _link(text: str) -> LinkMap:
    rate = RATE.parse(text)
    if rate is not None:
        return LinkMap(default=Link(up_bits_per_second=_bits(rate, text), down_bits_per_second=_bits(rate, text)))
    try:
        return LinkMap.parse(text)
    except ValueError as error:
        raise LiecbenchError(f"--link {text}: {error}") from None


def _bits(rate: float, text: str) -> int:
    if not math.isfinite(rate) or not 1e3 <= rate <= 1e15:
        raise LiecbenchError(f"--link {text}: no rate of a link", "write one from 1kbit to 1000tbit, such as 100gbit")
    return round(rate)


def with_delay(links: LinkMap, delay_seconds: float | None) -> LinkMap:
    """Return ``links`` with every link's one-way delay set to ``delay_seconds``; None leaves the delays unchanged."""
    if delay_seconds is None or links.default is None:
        return links

    def delayed(link: Link) -> Link:
        return dataclasses.replace(link, delay_seconds=delay_seconds)

    workers = tuple((rank, delayed(link)) for rank, link in links.workers)
    return dataclasses.replace(links, default=delayed(links.default), workers=workers)


def parse_delay(text: str) -> float:
    """Return the seconds of the delay that is given with ``--delay``, such as 0.005 for ``5ms``.

    Raises:
        LiecbenchError: If ``text`` is no delay from 0 to 10 s.
    """
    seconds = DELAY.parse(text)
    if seconds is None or not 0 <= seconds <= 10:
        raise LiecbenchError(f"--delay {text}: no delay", "write one from 0ms to 10s, such as 5ms")
    return seconds


def parse_step_seconds(text: str) -> float:
    """Return the seconds of ``--step-seconds``, given as ``0.15`` or ``150ms``.

    Raises:
        LiecbenchError: If the text is no time from 1 µs to 1 000 000 s.
    """
    seconds = DELAY.parse(text)
    if seconds is None:
        seconds = DELAY.parse(f"{text}s")
    if seconds is None or not 1e-6 <= seconds <= 1e6:
        raise LiecbenchError(f"--step-seconds {text}: no time", "write seconds, such as 0.15, or a time such as 150ms")
    return seconds


def parse_rate(option: str, text: str) -> float:
    """Return the rate in ``text``, such as ``100gbit``, in bits per second.

    Args:
        option: The command-line option that has the value ``text``, such as ``--inner-link``, for error messages.
        text: The text of the rate.

    Raises:
        LiecbenchError: If the text is no rate, or if the rate is not from 1 kbit/s to 1 Pbit/s.
    """
    rate = RATE.parse(text)
    if rate is None or not 1e3 <= rate <= 1e15:
        raise LiecbenchError(f"{option} {text}: no rate", "write one such as 100gbit")
    return rate


def parse_count(option: str, text: str) -> int:
    """Return a number of parameters, given as ``30M``, ``1.5B`` or ``11171146``; error messages name ``option``.

    Raises:
        LiecbenchError: If the text is no such number.
    """
    factors = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
    factor = factors.get(text[-1:].lower())
    digits = text[:-1] if factor else text
    try:
        value = float(digits.replace("_", "")) * (factor or 1)
    except ValueError:
        value = math.nan
    if not 1 <= value <= 1e13 or value != round(value):
        raise LiecbenchError(f"{option} {text}: no number of parameters", "write a whole number, or one such as 30M")
    return round(value)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()] or [text]


def require_same_model(profile: Profile, cell: Cell, source: str) -> None:
    """Raise LiecbenchError if the cell's model and the profile differ in precision or in the parameters' shapes.

    Do nothing if the cell is not trained. The error message begins with ``source``, which says where the profile is
    from.
    """
    if not cell.is_trained:
        return
    if profile.precision != cell.task.precision:
        raise LiecbenchError(
            f"{source}: the profile is in {profile.precision}, the scenario in {cell.task.precision}",
            "measure one with liecbench profile SCENARIO",
        )
    shapes = [tuple(shape) for shape in workload_sizes.sizes(cell.task).parameters]
    own = [parameter.shape for parameter in profile.parameters]
    if shapes != own:
        elements = sum(math.prod(shape) for shape in shapes)
        raise LiecbenchError(
            f"{source}: it is the profile of another model, with {profile.num_parameters:,} parameters in {len(own)} "
            f"tensors; {cell.task.model.name} of the scenario has {elements:,} in {len(shapes)}",
            "measure one with liecbench profile SCENARIO",
        )
