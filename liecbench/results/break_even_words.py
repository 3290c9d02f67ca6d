"""Sentences on break-even rates, the link rates at which methods are as fast as the baseline, for a verdict."""

from collections.abc import Iterator, Sequence
from typing import Final

from liecbench.network.link_map import LinkMap
from liecbench.results.break_even import BreakEven
from liecbench.results.provenance import provenance, shared_provenance
from liecbench.results.row_labels import Labels
from liecbench.results.whose_compute import whose_compute

# The search for a break-even stops at a range of rates whose high ÷ low is at most this: ±10 %.
_NARROW = 1.23
_EVERY_RATE: Final = {"always": "faster", "never": "slower"}


def break_even_lines(found: Sequence[BreakEven], labels: Labels, baseline: str) -> Iterator[str]:
    """Yield lines of text on the break-even rates of methods.

    The lines are, in this order:

    - A heading with the compute seconds per step and a remark on how the times were obtained, such as ``(estimated)``.
      If the methods need different remarks, the remarks follow the methods' names instead. An empty heading is left
      out.
    - Lines on methods that are shown to be faster (the outcome ``always``, see ``Bracket``), such as
      ``shown to be faster than psgd from 10mbit to 1gbit: liec, dgc``.
    - Lines on methods that are shown to be slower (the outcome ``never``).
    - One line for each method with another outcome, such as
      ``liec: faster than psgd below a rate between 20mbit and 24mbit``.
    - Lines such as ``liec: added rates that gave no speed-up: 22mbit``, for methods whose search is not over.

    Args:
        found: The break-evens.
        labels: The names of the methods.
        baseline: The baseline's name.
    """
    shared = shared_provenance([one.rows for one in found])
    compute = whose_compute((row for one in found for row in one.rows), labels)
    if compute or shared:
        yield f"break-even rates{shared}{', ' if compute else ''}{compute}:"
    names = [method_name(one, labels) + ("" if shared else provenance(one.rows)) for one in found]
    yield from _at_every_rate(found, names, baseline)
    for one, name in zip(found, names, strict=True):
        if one.outcome not in _EVERY_RATE:
            yield f"{name}: {break_even_text(one, baseline)}"
    for one, name in zip(found, names, strict=True):
        if one.untimed:
            rates = ", ".join(str(LinkMap.parse(row.cells[0].spec["link"])) for row in one.untimed)
            yield f"{name}: added rates that gave no speed-up: {rates}"


def _at_every_rate(found: Sequence[BreakEven], names: Sequence[str], baseline: str) -> Iterator[str]:
    for outcome, comparative in _EVERY_RATE.items():
        names_by_range: dict[str, list[str]] = {}
        for one, name in zip(found, names, strict=True):
            if one.outcome == outcome:
                names_by_range.setdefault(_shown_range(one), []).append(name)
        for rates, alike in names_by_range.items():
            yield f"shown to be {comparative} than {baseline} {rates}: {', '.join(alike)}"


def method_name(found: BreakEven, labels: Labels) -> str:
    """Return a method's name for the lines on its break-even, such as ``liec · workers 4 · links with 20ms``.

    In the example, ``liec`` is the method, ``workers 4`` is the setting, and ``20ms`` is the delay of all links. Link
    rates are left out. If several emulators were used, the name ends with their list, beginning with the emulator of
    the slowest links, such as ``links emulated by netem, then delay_line``.
    """
    shape = f" · links with {found.slowest.shape}" if found.slowest.shape else ""
    several = f" · links emulated by {', then '.join(found.emulators)}" if len(found.emulators) > 1 else ""
    return labels.whole(found.rows[0], without=("link",)) + shape + several


def break_even_text(found: BreakEven, baseline: str) -> str:
    """Return a phrase on a method's break-even, to follow the method's name.

    An example is ``faster than psgd below a rate between 20mbit and 24mbit``.
    """
    if found.outcome in ("always", "never"):
        speed = "faster" if found.outcome == "always" else "slower"
        return f"shown to be {speed} than {baseline} {_shown_range(found)}"
    low, high, num_inside = found.bracket.low, found.bracket.high, found.bracket.num_inside
    if found.outcome == "unclear":
        return f"not shown to be faster or slower than {baseline} from {_range(found)}"
    if found.outcome == "alternating":
        return f"faster and slower than {baseline} by turns from {_range(found)}, so there is no single break-even"
    side = "below" if found.outcome == "below" else "above"
    if low is None or high is None:
        bound = f"up to {found.rate_text(low)}" if low is not None else f"from {found.rate_text(high or 0)} on"
        speed = "faster" if (found.outcome == "below") == (low is not None) else "slower"
        return f"shown to be {speed} than {baseline} {bound}; no difference is shown at {_rates(num_inside)}"
    text = f"faster than {baseline} {side} a rate between {found.rate_text(low)} and {found.rate_text(high)}"
    if found.is_narrowest and high > _NARROW * low:
        return f"{text}; between these rates the speed-up is not known well enough to narrow the range"
    return text


def _shown_range(found: BreakEven) -> str:
    """Return the range of measured link rates as text, such as ``from 10mbit to 1gbit``.

    If no difference from the baseline is shown at some of the rates, the text ends with the number of these rates, as
    in ``from 10mbit to 1gbit, with no difference shown at 1 of 3 rates``.

    The outcome of ``found`` must be ``always`` or ``never``.
    """
    num_open = found.bracket.num_inside
    exception = f", with no difference shown at {num_open} of {len(found.rows)} rates" if num_open else ""
    return f"from {_range(found)}{exception}"


def _rates(number: int) -> str:
    return f"{number} rate" if number == 1 else f"{number} rates"


def _range(found: BreakEven) -> str:
    return f"{found.rate_text(found.lowest_bits_per_second)} to {found.rate_text(found.highest_bits_per_second)}"
