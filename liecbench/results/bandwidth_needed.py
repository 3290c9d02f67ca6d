"""The bandwidth that methods need: the lowest link rate at which computing takes a given share of a step.

This share, compute seconds ÷ step seconds, is called compute utilization.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from liecbench.network.link_map import LinkMap
from liecbench.results.units import FRACTION
from liecbench.results.whose_compute import StepCompute, compute_text

UTILIZATIONS: Final = (0.5, 0.75, 0.9, 0.95, 0.99)
# measured: between measured rates. estimated: from one measured rate. extrapolated: above the highest measured rate.
# unknown: the times are not known well enough to tell a rate.
Basis = Literal["measured", "estimated", "extrapolated", "predicted", "unknown"]
LimitingPart = Literal["compression", "method", "latency", "processor"]
# A range with a smaller high ÷ low is shown as one rate: ±10 %.
_NARROW: Final = 1.23


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededRate:
    """A range of link rates. It contains the lowest rate at which a given compute utilization is reached.

    If no rate reaches the utilization, both ends of the range are None.

    Attributes:
        utilization: The compute utilization, from 0 to 1.
        low_bits_per_second: A rate at which the utilization is not reached; None if no such rate is known.
        high_bits_per_second: A rate at which the utilization is reached; None if no such rate is known.
        basis: How the range was found. Only ``measured`` ranges lie between measured rates.
    """

    utilization: float
    low_bits_per_second: float | None
    high_bits_per_second: float | None
    basis: Basis

    @property
    def is_reached(self) -> bool:
        """True if ``low_bits_per_second`` or ``high_bits_per_second`` is known.

        Both are None if no link rate reaches ``utilization``, or if neither can be computed.
        """
        return self.low_bits_per_second is not None or self.high_bits_per_second is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class BandwidthNeeded:
    """The link rates that one method needs in one setting to reach each compute utilization in ``UTILIZATIONS``.

    A setting fixes everything except the link rate, such as the number of workers and the delay of the links.

    Attributes:
        name: The name of the method and its setting, without the links and the number of workers.
        provenance: Words to append to ``name``, such as `` (estimated)``, which say how the times were obtained; empty
            if the times were measured or predicted.
        workers: The number of workers.
        link: The links of the setting, at an arbitrary rate. ``link.at_rate`` returns the links at another rate.
        compute: The compute seconds per step, from which ``rates`` were computed.
        rates: One range of rates per utilization, in the order of ``UTILIZATIONS``. The range contains the lowest rate
            that reaches the utilization.
        highest_utilization: The compute utilization on links without rate limit, from 0 to 1; None if it is unknown.
        limited_by: The largest part of a step besides computing, on links without rate limit: ``compression``,
            ``method`` (the work of a method without compressor), ``latency`` (which includes waiting for other ranks)
            or ``processor`` (waiting for a processor). None if no such part is known.
        num_rates: The number of link rates at which the method was measured; 0 if it was predicted.
    """

    name: str
    provenance: str = ""
    workers: int
    link: LinkMap
    compute: StepCompute
    rates: tuple[NeededRate, ...]
    highest_utilization: float | None
    limited_by: LimitingPart | None
    num_rates: int

    def rate_text(self, needed: NeededRate) -> str:
        """Return the range of link rates ``needed`` as text.

        Examples are ``91mbit to 260mbit``, ``above 1gbit``, ``3.2gbit extrapolated`` and ``not reached``.
        """
        low, high = needed.low_bits_per_second, needed.high_bits_per_second
        if not needed.is_reached:
            return "not known" if needed.basis == "unknown" else "not reached"
        suffix = f" {needed.basis}" if needed.basis in ("estimated", "extrapolated") else ""
        if low is None or high is None:
            bound = f"at most {self._text(high)}" if high is not None else f"above {self._text(low or 0)}"
            return bound + suffix
        if high <= _NARROW * low:
            return self._text((low * high) ** 0.5) + suffix
        return f"{self._text(low)} to {self._text(high)}{suffix}"

    @property
    def name_with_links(self) -> str:
        """The name of the method and its setting, such as ``ddp · links with delay 5ms round trip 20ms``.

        The links' rate is left out, as is the number of workers.
        """
        return f"{self.name} · links with {self.link.shape}" if self.link.shape else self.name

    @property
    def highest_text(self) -> str:
        """The highest compute utilization and what limits it, as text such as ``88.0% (compression)``."""
        if self.highest_utilization is None:
            return "–"
        reason = f" ({self.limited_by})" if self.limited_by else ""
        return f"{FRACTION.format(self.highest_utilization)}{reason}"

    def _text(self, bits_per_second: float) -> str:
        """Return the default link's rates as text, such as ``84mbit``, with ``bits_per_second`` as the up rate.

        The up rate is rounded to two significant digits. The ratio of the down rate to the up rate stays as in
        ``link``. If the two rates differ, the text has both, such as ``10mbit↑ 50mbit↓``.
        """
        link = self.link.at_rate(int(float(f"{bits_per_second:.2g}"))).default
        assert link is not None, "links with a needed rate are shaped"
        return str(link.without_delay)


@dataclass(frozen=True, slots=True, kw_only=True)
class BandwidthTable:
    """A table of texts: for each method, the lowest link rates at which computing takes 50 % to 99 % of a step.

    Attributes:
        title: The title.
        headings: The heading of each column.
        lines: For each method and setting, the text in each column.
        notes: Sentences to print below the table; empty if nothing needs an explanation.
        sentence: A sentence that can take the place of the table because no line has a rate: every rate is ``not
            reached``. None if a line has a rate, or if a rate is not known.
    """

    title: str
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    sentence: str | None


_NOTES: Final[dict[Basis, str]] = {
    "estimated": "estimated: from one measured rate, as if only the time for transfer changes with the rate",
    "extrapolated": "extrapolated: above the highest measured rate, as if only the time for transfer changes there",
}


def bandwidth_table(found: Sequence[BandwidthNeeded]) -> BandwidthTable:
    """Return the table of the lowest link rates at which computing takes 50 %, 75 %, 90 %, 95 % and 99 % of a step.

    Each item of ``found`` becomes one line of the table, with one column per percentage. All entries are texts. There
    must be at least one item.
    """
    shares = tuple(f"{utilization:.0%}" for utilization in UTILIZATIONS)
    bases = {needed.basis for one in found for needed in one.rates if needed.is_reached}
    by_workers: dict[str, list[StepCompute]] = {}
    for one in found:
        by_workers.setdefault(f"{one.workers} workers", []).append(one.compute)
    suffixes = {one.provenance for one in found}
    shared = min(suffixes) if len(suffixes) == 1 else ""
    notes = [note for basis, note in _NOTES.items() if basis in bases]
    texts = {one.rate_text(needed) for one in found for needed in one.rates}
    if "not known" in texts:
        notes.append("not known: the intervals of the times are too wide to tell a rate")
    if "not reached" in texts:
        notes.append("not reached: at no rate; the last column has the compute utilization on links without rate limit")
    return BandwidthTable(
        title=f"link rate from which computing takes 50 % to 99 % of each step{shared}, {compute_text(by_workers)}",
        headings=("method", "workers", *shares, "at most"),
        lines=tuple(
            (
                one.name_with_links + ("" if shared else one.provenance),
                str(one.workers),
                *(one.rate_text(needed) for needed in one.rates),
                one.highest_text,
            )
            for one in found
        ),
        notes=tuple(notes),
        sentence=_nothing_reached(found) if texts == {"not reached"} else None,
    )


def _nothing_reached(found: Sequence[BandwidthNeeded]) -> str:
    """Return a sentence that says that no link rate suffices, and how close the closest method comes."""
    closest = max(found, key=lambda one: one.highest_utilization or 0.0)
    workers = f"{closest.workers} workers"
    links = f" on links with {closest.link.shape}" if closest.link.shape else ""
    return (
        f"no link rate is high enough for computing to take {UTILIZATIONS[0]:.0%} of a step: without rate limit, it "
        f"takes at most {closest.highest_text}, with {closest.name}{closest.provenance} and {workers}{links}, "
        f"{compute_text({workers: [closest.compute]})}"
    )


def bandwidth_objects(found: Sequence[BandwidthNeeded]) -> list[dict[str, object]]:
    """Return the bandwidth that methods need, as one JSON object per method and setting.

    The list ``rates`` of an object has one item per compute utilization in ``UTILIZATIONS``. The item's
    ``low_bits_per_second`` and ``high_bits_per_second`` are bounds of the lowest up rate at which this utilization is
    reached. An unknown bound is None. If the utilization is not reached at any rate, both bounds are None, and
    ``basis`` is ``not_reached``.
    """
    return [
        {
            "method": one.name_with_links + one.provenance,
            "workers": one.workers,
            **one.compute.as_json(),
            "highest_utilization": one.highest_utilization,
            "limited_by": one.limited_by,
            "rates": [
                {
                    "utilization": needed.utilization,
                    "low_bits_per_second": needed.low_bits_per_second,
                    "high_bits_per_second": needed.high_bits_per_second,
                    "basis": "not_reached" if one.rate_text(needed) == "not reached" else needed.basis,
                    "text": one.rate_text(needed),
                }
                for needed in one.rates
            ],
        }
        for one in found
    ]
