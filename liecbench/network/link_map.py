"""The links of all workers while one cell trains; a cell is one configuration of a run with one seed."""

import functools
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, core_schema

from liecbench.compressors.wrong_values import requirement
from liecbench.errors import did_you_mean
from liecbench.network.link import PRESETS, Link
from liecbench.network.link_text import LinkKeys, LinkMapKeys, LinkText, link_of
from liecbench.network.nearest_link import key_remedy
from liecbench.network.slowdown import Slowdown


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkMap:
    """The links of all workers.

    Attributes:
        default: The link of every worker that ``workers`` does not list. None if links have no rate limits.
        workers: Pairs of a rank and its link, for ranks with a link other than ``default``, in the order of ranks.
        host: Used only if ``default`` is None: True for the machines' own network, False for the loopback interface.
    """

    default: Link | None = None
    workers: tuple[tuple[int, Link], ...] = ()
    host: bool = False

    @property
    def shaped(self) -> bool:
        """True if all links have rate limits, False if none has. Links with rate limits are called shaped."""
        return self.default is not None

    @property
    def needs_latency(self) -> bool:
        """True if any worker's link has delay, jitter or loss."""
        return any(link.needs_latency for link in self.links())

    def links(self) -> tuple[Link, ...]:
        """Return the link ``default``, followed by the links of the ranks that ``workers`` lists.

        All workers with the link ``default`` share the first item. The tuple is empty if the links are not shaped.
        """
        return () if self.default is None else (self.default, *(link for _, link in self.workers))

    @property
    def speed(self) -> tuple[float, ...]:
        """A key that sorts shaped link maps from slow to fast.

        The key is (lowest rate, −highest delay, −highest loss) of all links of the link map.
        """
        links = self.links()
        lowest = min(link.lower_bits_per_second for link in links)
        return lowest, -max(link.delay_seconds for link in links), -max(link.loss for link in links)

    def of(self, rank: int) -> Link:
        """Return the link of the worker with the number ``rank``. Call this only if ``shaped`` is True."""
        assert self.default is not None, "the link is shaped"
        return dict(self.workers).get(rank, self.default)

    def at_rate(self, bits_per_second: int) -> "LinkMap":
        """Return the links with all rates scaled so that the default link's up rate is ``bits_per_second``.

        Delay, jitter and loss stay. The links must be shaped.
        """
        assert self.default is not None, "the link is shaped"
        factor = bits_per_second / self.default.up_bits_per_second
        workers = tuple((rank, link.times(factor)) for rank, link in self.workers)
        return replace(self, default=self.default.times(factor), workers=workers)

    def slowed(self, by: Slowdown) -> "LinkMap":
        """Return these links with lower rates, and longer delay and jitter, for a replay that is slowed down by ``by``.

        Unshaped links stay unchanged.
        """
        if self.default is None or by == Slowdown():
            return self
        workers = tuple((rank, link.slowed(by)) for rank, link in self.workers)
        return replace(self, default=self.default.slowed(by), workers=workers)

    @property
    def shape(self) -> str:
        """Text that describes the links apart from their absolute rate.

        The text contains the ratios between the rates, such as ``down = 5 × up``, and delay, jitter and loss. It stays
        the same if all rates are multiplied by one factor. It is empty if all links have the same rate, up and down,
        and no delay, jitter or loss. The links must be shaped.
        """
        assert self.default is not None, "the link is shaped"
        return _shape(self)

    @classmethod
    def parse(cls, value: object) -> "LinkMap":
        """Return the links that a scenario file writes as ``value``: a rate, a preset, a mapping, ``none`` or ``host``.

        Raises:
            ValueError: If the value is wrong. The message says which part is wrong, and what to write instead.
        """
        found = _KNOWN.get(value) if isinstance(value, str) else None
        if found is not None:
            return found
        try:
            return _adapter().validate_python(value)
        except ValidationError as error:
            raise ValueError(_message(error)) from None

    def spec(self) -> str | dict[str, Any]:
        """Return the links in the form of a scenario file. This is the inverse of ``parse``."""
        if self.default is None:
            return "host" if self.host else "none"
        spec = self.default.spec()
        if not self.workers:
            return spec
        whole = {"rate": spec} if isinstance(spec, str) else spec
        return {**whole, "workers": {str(rank): _complete_spec(link) for rank, link in self.workers}}

    def __str__(self) -> str:
        if self.default is None:
            return "host" if self.host else "none"
        return "; ".join([_name(self.default), *(f"worker {rank} {_name(link)}" for rank, link in self.workers)])

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        def validate(value: object, validate_text: core_schema.ValidatorFunctionWrapHandler) -> LinkMap:
            if isinstance(value, LinkMap):
                return value
            found = _KNOWN.get(value) if isinstance(value, str) else None
            if found is None:
                found = _map_of(validate_text(value))
                if isinstance(value, str):
                    _KNOWN[value] = found
            return found

        return core_schema.no_info_wrap_validator_function(
            validate,
            handler.generate_schema(LinkText),
            serialization=core_schema.plain_serializer_function_ser_schema(cls.spec),
        )


# Links by their texts, which thousands of cells share.
_KNOWN: Final[dict[str, LinkMap]] = {}


def _map_of(written: Any) -> LinkMap:
    """Return the links of all workers from ``written``, a scenario's ``link`` after pydantic has parsed it.

    ``written`` is the text ``none`` or ``host``, the ``Link`` of a preset, a rate in bits per second, or a mapping with
    the keys of ``LinkMapKeys``.
    """
    if isinstance(written, str):
        return LinkMap(host=written == "host")
    workers = written.get("workers", {}) if isinstance(written, dict) else {}
    default = link_of(written, None)
    links = ((rank, link_of(link, default)) for rank, link in sorted(workers.items()))
    return LinkMap(default=default, workers=tuple((rank, link) for rank, link in links if link != default))


@functools.cache
def _adapter() -> TypeAdapter[LinkMap]:
    return TypeAdapter(LinkMap)


def _message(error: ValidationError) -> str:
    """Return pydantic's first error as text, such as ``workers.3: 'fast' is not a rate; write one such as 100mbit``."""
    first = error.errors()[0]
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        known = LinkKeys.__annotations__ if "workers" in first["loc"] else LinkMapKeys.__annotations__
        return f"{key!r} is no key of a link; {key_remedy(key) or did_you_mean(key, known)}"
    # The other parts of ``loc`` include pydantic's names for the alternatives of a union, which no user knows.
    keys = [str(part) for part in first["loc"] if part == "workers" or isinstance(part, int)]
    return ": ".join([*([".".join(keys)] if keys else []), requirement(first)])


@functools.lru_cache(maxsize=1000)
def _shape(links: LinkMap) -> str:
    assert links.default is not None, "the link is shaped"
    unit = links.default.up_bits_per_second
    factors = [
        (f"{link.up_bits_per_second / unit:.4g}", f"{link.down_bits_per_second / unit:.4g}") for link in links.links()
    ]
    down = "" if factors[0] == ("1", "1") else f"down = {factors[0][1]} × up"
    parts = [f"{down} {_delays(links.default)}"]
    for (rank, link), (up, down) in zip(links.workers, factors[1:], strict=True):
        parts.append(f"worker {rank} {up} ×↑ {down} ×↓ {_delays(link)}")
    return "; ".join(part.strip() for part in parts if part.strip())


def _delays(link: Link) -> str:
    return str(link).removeprefix(str(link.without_delay)).strip()


def _complete_spec(link: Link) -> dict[str, Any]:
    """Return one worker's link as a mapping that has ``delay``, ``jitter`` and ``loss`` even if they are 0.

    If a worker's mapping lacks one of these keys, ``LinkMap.parse`` uses the default link's value.
    """
    nothing = {"delay": "0ms", "jitter": "0ms", "loss": "0%"}
    spec = link.spec()
    return {**nothing, **({"rate": spec} if isinstance(spec, str) else spec)}


def _name(link: Link) -> str:
    preset = next((name for name, preset in PRESETS.items() if preset == link and link.needs_latency), None)
    return str(link) if preset is None else f"{preset} ({', '.join(link.delay_texts())})"
