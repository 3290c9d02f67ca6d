"""The record of a cell's links: the requested links, the measured links, and the mechanism that shaped the links."""

import functools
import json
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import AfterValidator

from liecbench.network.deviation import Deviation, deviations
from liecbench.network.link_map import LinkMap
from liecbench.network.measurement import WARNING, MeasuredLink, Tolerance
from liecbench.network.mechanism import UsedEmulator, used_emulator
from liecbench.network.quantity import SIZE, format_rate

Asked = str | dict[str, Any]


def _check_links(asked: Asked) -> Asked:
    _links(json.dumps(asked))
    return asked


@functools.cache
def _links(asked: str) -> LinkMap:
    return LinkMap.parse(json.loads(asked))


@functools.cache
def _quoted(asked: str) -> str:
    return json.dumps(asked)


@functools.cache
def _default_emulator(asked: str) -> UsedEmulator | None:
    return used_emulator(_links(asked), "kernel")


@functools.lru_cache(maxsize=1000)
def _deviations(link: "LinkRecord", tolerance: Tolerance) -> tuple[Deviation, ...]:
    return tuple(deviations(link.links, link.measured, tolerance)) if link.measured else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRecord:
    """The links of all ranks of a cell.

    Attributes:
        enforcement: What limits the links. ``kernel``: the kernel, or a process that delays frames (the delay line).
            ``process``: the ranks themselves, which delay their messages. ``none``: nothing; the links are not shaped.
        emulator: The mechanism that limits the links if ``enforcement`` is ``kernel``: ``tbf`` (the kernel's token
            bucket), ``netem`` (token bucket and netem) or ``delay_line``. None otherwise, and in records of earlier
            versions.
        asked: The links that the scenario asks for, in the form in which a scenario gives them.
        measured: The measured link of each rank; None if none was measured.
        congestion_control: The name of TCP's congestion control.
        window_bytes: The largest window of a TCP connection on rank 0, in bytes.
    """

    enforcement: Literal["kernel", "process", "none"] | None = None
    emulator: UsedEmulator | None = None
    asked: Annotated[Asked, AfterValidator(_check_links)] | None = field(default=None, hash=False)
    measured: tuple[MeasuredLink, ...] | None = None
    congestion_control: str | None = None
    window_bytes: Annotated[int, Ge(1), Le(2**63 - 1)] | None = None

    @property
    def links(self) -> LinkMap:
        """The links that the scenario asks for."""
        return _links(self._asked_text)

    @property
    def _asked_text(self) -> str:
        asked = "none" if self.asked is None else self.asked
        return _quoted(asked) if isinstance(asked, str) else json.dumps(asked)

    @property
    def used_emulator(self) -> UsedEmulator | None:
        """The mechanism that emulated the links, such as ``netem``; None if ``enforcement`` is not ``kernel``.

        Records of earlier versions have no ``emulator``. For these records, the mechanism is ``netem`` if any link has
        delay, jitter or loss, else ``tbf``.
        """
        if self.enforcement != "kernel":
            return None
        return self.emulator or _default_emulator(self._asked_text)

    def deviations(self, tolerance: Tolerance = WARNING) -> tuple[Deviation, ...]:
        """Return the measured rates and round trips that deviate from the requested ones by more than ``tolerance``."""
        return _deviations(self, tolerance)

    def window_limit(self) -> str | None:
        """Return a warning if TCP's window is known to keep a stream below the link's rate; else None."""
        window, links = self.window_bytes, self.links
        if window is None or not links.shaped:
            return None
        link = links.of(0)
        trip = 2 * (link.delay_seconds + max(other.delay_seconds for other in links.links()))
        if link.up_bits_per_second / 8 * trip <= window:
            return None
        rate, size = format_rate(int(round(8 * window / trip, -4))), SIZE.format(window)
        return f"TCP's window of {size} keeps one stream below {rate} on its link: raise net.ipv4.tcp_wmem and tcp_rmem"
