"""A worker's link: rates, delay and loss. Parsing and text only; ``network`` makes it real."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

_RATES: Final = {"kbit": 10**3, "mbit": 10**6, "gbit": 10**9}
_SECONDS: Final[dict[str, float]] = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_LOWEST_RATE, _HIGHEST_RATE = 10**6, 32 * 10**9
_LONGEST_SECONDS: Final = 10.0
_HIGHEST_LOSS: Final = 0.5
_REMEDY: Final = (
    "write a rate from 1mbit to 32gbit, such as 20mbit, {up: 10mbit, down: 100mbit}, "
    "{rate: 50mbit, delay: 20ms, jitter: 2ms, loss: 0.1%}, a preset, none or host"
)


def parse_rate(text: object) -> int:
    """Bits per second of a rate such as ``20mbit``; ValueError says what is wrong."""
    rate = _quantity(text, _RATES)
    if rate is None:
        raise ValueError(f"{text!r} is not a rate; {_REMEDY}")
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise ValueError(f"{text!r} is outside what a shaper here can hold; {_REMEDY}")
    return round(rate)


def format_rate(rate: int) -> str:
    """The shortest exact text of a rate: the inverse of ``parse_rate``."""
    return _text(rate, {unit: float(factor) for unit, factor in _RATES.items()})


def parse_seconds(text: object) -> float:
    """Seconds of a delay such as ``20ms``; ValueError says what is wrong."""
    seconds = _quantity(text, _SECONDS)
    if seconds is None or seconds > _LONGEST_SECONDS:
        raise ValueError(f"{text!r} is not a delay; write one up to {_LONGEST_SECONDS:.0f}s, such as 20ms or 500us")
    return round(seconds, 6)


def _parse_loss(text: object) -> float:
    percent = _quantity(text, {"%": 1.0})
    if percent is None or percent > 100 * _HIGHEST_LOSS:
        raise ValueError(f"{text!r} is not a loss; write percent of the frames up to 50%, such as 0.1%")
    return round(percent / 100, 8)


def _quantity(text: object, units: Mapping[str, float]) -> float | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z%]+)", text.strip().lower()) if isinstance(text, str) else None
    return None if match is None or match[2] not in units else float(match[1]) * units[match[2]]


def _text(value: float, units: dict[str, float]) -> str:
    unit = next((unit for unit in reversed(units) if value >= units[unit]), next(iter(units)))
    return f"{value / units[unit]:.9f}".rstrip("0").rstrip(".") + unit


def burst_bytes(bits_per_second: int) -> int:
    """What a link that has been idle lets through at once: the size of its token bucket.

    Four kilobytes hold messages of 64 kB to the rate within 6 %. Above 65 Mbit/s it is half a millisecond of the rate:
    with half of that a link of 1 Gbit/s carried 8 % less.
    """
    return max(4096, bits_per_second // 8 // 2000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What one worker's link carries; delay, jitter and loss hold in each direction.

    Rates are in bits per second of Ethernet frames with their headers. ``delay_seconds`` is one way: a message to
    another worker passes two links. ``jitter_seconds`` is how far the delay varies, ``loss`` the fraction of frames.
    """

    up_bits_per_second: int
    down_bits_per_second: int
    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    loss: float = 0.0

    @property
    def needs_netem(self) -> bool:
        """Whether it takes more than a token bucket."""
        return bool(self.delay_seconds or self.jitter_seconds or self.loss)

    def spec(self) -> str | dict[str, Any]:
        """As a scenario writes it."""
        up, down = format_rate(self.up_bits_per_second), format_rate(self.down_bits_per_second)
        rates = {"rate": up} if up == down else {"up": up, "down": down}
        more = {
            name: _text(value, _SECONDS)
            for name, value in (("delay", self.delay_seconds), ("jitter", self.jitter_seconds))
            if value
        }
        if self.loss:
            more["loss"] = _percent(self.loss)
        return up if up == down and not more else {**rates, **more}

    def __str__(self) -> str:
        up, down = format_rate(self.up_bits_per_second), format_rate(self.down_bits_per_second)
        parts = [up if up == down else f"{up}↑ {down}↓"]
        if self.delay_seconds or self.jitter_seconds:
            jitter = f"±{_text(self.jitter_seconds, _SECONDS)}" if self.jitter_seconds else ""
            parts.append(_text(self.delay_seconds, _SECONDS) + jitter)
        if self.loss:
            parts.append(f"{_percent(self.loss)} loss")
        return " ".join(parts)


def _percent(loss: float) -> str:
    return f"{100 * loss:.6f}".rstrip("0").rstrip(".") + "%"


# Typical of what such links carry, one way; yours may differ: measure it and write its numbers.
PRESETS: Final = {
    "lan-10g": Link(up_bits_per_second=10**10, down_bits_per_second=10**10),
    "datacenter-1g": Link(up_bits_per_second=10**9, down_bits_per_second=10**9),
    "wifi": Link(
        up_bits_per_second=10**8,
        down_bits_per_second=10**8,
        delay_seconds=0.002,
        jitter_seconds=0.001,
        loss=0.001,
    ),
    "home-dsl": Link(up_bits_per_second=10**7, down_bits_per_second=5 * 10**7, delay_seconds=0.01),
    "lte": Link(
        up_bits_per_second=10**7,
        down_bits_per_second=4 * 10**7,
        delay_seconds=0.025,
        jitter_seconds=0.005,
        loss=0.001,
    ),
    "wan": Link(up_bits_per_second=2 * 10**8, down_bits_per_second=2 * 10**8, delay_seconds=0.02, loss=0.0001),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkMap:
    """Every worker's link: ``default``, and in ``workers`` those of single ranks that have another.

    ``default`` is None where nothing is shaped: on the loopback or, with ``host``, on the machines' own network.
    """

    default: Link | None = None
    workers: tuple[tuple[int, Link], ...] = ()
    host: bool = False

    @property
    def shaped(self) -> bool:
        """Whether it is held to rates."""
        return self.default is not None

    @property
    def needs_netem(self) -> bool:
        """Whether any worker's link takes more than a token bucket."""
        return any(link.needs_netem for link in self.links())

    def links(self) -> tuple[Link, ...]:
        """Return the links that some worker has; none if nothing is shaped."""
        return () if self.default is None else (self.default, *(link for _, link in self.workers))

    @property
    def speed(self) -> tuple[float, ...]:
        """Orders shaped links: the lowest rate in any direction, then the shortest delay, then the least loss."""
        links = self.links()
        lowest = min(min(link.up_bits_per_second, link.down_bits_per_second) for link in links)
        return lowest, -max(link.delay_seconds for link in links), -max(link.loss for link in links)

    def of(self, rank: int) -> Link:
        """Return the link of one worker."""
        assert self.default is not None, "the link is shaped"
        return dict(self.workers).get(rank, self.default)

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a link as a scenario writes it; ValueError says what is wrong."""
        if isinstance(value, str) and value.strip().lower() in ("none", "host"):
            return cls(host=value.strip().lower() == "host")
        if not isinstance(value, Mapping):
            return cls(default=_parse_link(value, None))
        base = _parse_link({name: part for name, part in value.items() if name != "workers"}, None)
        workers = value.get("workers", {})
        if not isinstance(workers, Mapping):
            raise ValueError(
                f"workers: {workers!r} is not a mapping; write for example workers: {{0: 1gbit, 3: 5mbit}}"
            )
        links = {_parse_rank(rank): _parse_link(link, base) for rank, link in workers.items()}
        if len(links) < len(workers):
            raise ValueError("workers: a rank stands twice; remove one")
        return cls(default=base, workers=tuple(sorted((r, w) for r, w in links.items() if w != base)))

    def spec(self) -> str | dict[str, Any]:
        """Return the links as a scenario writes them: the inverse of ``parse``."""
        if self.default is None:
            return "host" if self.host else "none"
        spec = self.default.spec()
        if not self.workers:
            return spec
        whole = {"rate": spec} if isinstance(spec, str) else spec
        return {**whole, "workers": {str(rank): _alone(link) for rank, link in self.workers}}

    def __str__(self) -> str:
        if self.default is None:
            return "host" if self.host else "none"
        return "; ".join([_name(self.default), *(f"worker {rank} {_name(link)}" for rank, link in self.workers)])


def _alone(link: Link) -> dict[str, Any]:
    """A worker's link with every key: a key that it leaves out would be taken from the default link."""
    nothing = {"delay": "0ms", "jitter": "0ms", "loss": "0%"}
    spec = link.spec()
    return {**nothing, **({"rate": spec} if isinstance(spec, str) else spec)}


def _name(link: Link) -> str:
    return next((name for name, preset in PRESETS.items() if preset == link and link.needs_netem), str(link))


def _parse_rank(value: object) -> int:
    if not re.fullmatch(r"\d{1,3}", str(value)):
        raise ValueError(f"workers: {value!r} is not a rank; write for example workers: {{0: 1gbit, 3: 5mbit}}")
    return int(str(value))


def _parse_link(value: object, base: Link | None) -> Link:
    """Parse one link; keys that a mapping leaves out are taken from ``base``; without a base it must have rates."""
    if isinstance(value, str) and value.strip().lower() in PRESETS:
        return PRESETS[value.strip().lower()]
    if not isinstance(value, Mapping):
        rate = parse_rate(value)
        return _with_rates(base, rate, rate)
    if unknown := set(value) - {"preset", "rate", "up", "down", "delay", "jitter", "loss"}:
        raise ValueError(f"{sorted(map(str, unknown))[0]!r} is no part of a link; {_REMEDY}")
    if "preset" in value:
        base = _preset(value["preset"])
    given = {name for name in ("rate", "up", "down") if name in value}
    if given not in ({"rate"}, {"up", "down"}) and not (base is not None and not given):
        raise ValueError(f"{dict(value)!r} needs the key rate, or the keys up and down; {_REMEDY}")
    link = base
    if given:
        up, down = ("rate", "rate") if "rate" in given else ("up", "down")
        link = _with_rates(base, parse_rate(value[up]), parse_rate(value[down]))
    assert link is not None, "there are rates, given or the base's"
    link = replace(
        link,
        delay_seconds=parse_seconds(value["delay"]) if "delay" in value else link.delay_seconds,
        jitter_seconds=parse_seconds(value["jitter"]) if "jitter" in value else link.jitter_seconds,
        loss=_parse_loss(value["loss"]) if "loss" in value else link.loss,
    )
    if link.jitter_seconds > link.delay_seconds:
        raise ValueError("jitter is more than delay, which it varies; raise delay or lower jitter")
    return link


def _with_rates(base: Link | None, up: int, down: int) -> Link:
    if base is None:
        return Link(up_bits_per_second=up, down_bits_per_second=down)
    return replace(base, up_bits_per_second=up, down_bits_per_second=down)


def _preset(name: object) -> Link:
    known = PRESETS.get(str(name).strip().lower())
    if known is None:
        raise ValueError(f"{name!r} is no preset; there are {', '.join(PRESETS)}")
    return known
