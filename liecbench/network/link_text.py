"""Pydantic types of links as a scenario writes them, for instance as a rate, a preset or a mapping.

The types validate links, and describe them in the JSON Schema of scenarios.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema, with_config
from typing_extensions import TypedDict  # pydantic needs it on Python 3.11

from liecbench.errors import did_you_mean
from liecbench.network.link import PRESETS, Link
from liecbench.network.nearest_link import link_remedy
from liecbench.network.quantity import DELAY, LOSS, RATE, Quantity
from liecbench.network.quantity_text import parse_delay, parse_loss, parse_rate

_RANK_PATTERN = "^[0-9]{1,3}$"
_WORKERS_EXAMPLE = "write for example workers: {0: 1gbit, 3: 5mbit}"


def _schema_of(quantity: Quantity) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": quantity.pattern})


def _parse_preset(name: object) -> Link:
    known = PRESETS.get(str(name).strip().lower())
    if known is None:
        raise ValueError(f"{name!r} is no preset ({did_you_mean(name, PRESETS)})")
    return known


def _parse_rate_alone(text: object) -> int:
    if RATE.parse(text) is None:
        raise ValueError(f"{text!r} is not a link; {link_remedy(text)}")
    return parse_rate(text)


def _parse_unshaped(name: str) -> str:
    return name.strip().lower()


def _parse_rank(rank: object) -> int:
    if not re.search(_RANK_PATTERN, str(rank)):
        raise ValueError(f"{rank!r} is not a rank; {_WORKERS_EXAMPLE}")
    return int(str(rank))


def _check_workers(workers: object) -> object:
    if not isinstance(workers, Mapping):
        raise ValueError(f"{workers!r} is not a mapping; {_WORKERS_EXAMPLE}")
    ranks = [str(rank).lstrip("0") for rank in workers]
    if len(set(ranks)) < len(ranks):
        raise ValueError("a rank appears twice; remove one")
    return workers


Rate = Annotated[int, BeforeValidator(parse_rate), _schema_of(RATE)]
RateAlone = Annotated[int, BeforeValidator(_parse_rate_alone), _schema_of(RATE)]
Delay = Annotated[float, BeforeValidator(parse_delay), _schema_of(DELAY)]
Loss = Annotated[float, BeforeValidator(parse_loss), _schema_of(LOSS)]
Preset = Annotated[Link, BeforeValidator(_parse_preset), WithJsonSchema({"enum": list(PRESETS)})]
Rank = Annotated[int, BeforeValidator(_parse_rank), WithJsonSchema({"type": "string", "pattern": _RANK_PATTERN})]
UnshapedText = Annotated[Literal["none", "host"], BeforeValidator(_parse_unshaped)]


@with_config(ConfigDict(extra="forbid", strict=True))
class LinkKeys(TypedDict, total=False):
    """The keys of one link in a scenario, such as ``{rate: 100mbit, delay: 5ms}``.

    A scenario has a default link for all workers, and may give single workers other links under the key ``workers``.
    Missing keys have these values:

    - In a link with the key ``preset``: the values of the preset.
    - In a single worker's link without ``preset``: the values of the default link.
    - In a default link without ``preset``: 0 for delay, jitter and loss. The rates must be given.

    Instead of ``rate``, a link can have ``up`` and ``down`` together.
    """

    preset: Annotated[Preset, Field(description="a known link, whose values other keys replace")]
    rate: Annotated[Rate, Field(description="bits per second in each direction")]
    up: Annotated[Rate, Field(description="bits per second that the worker can send")]
    down: Annotated[Rate, Field(description="bits per second that the worker can receive")]
    delay: Annotated[Delay, Field(description="one way, on each of the two links that a message passes")]
    jitter: Annotated[Delay, Field(description="by how much the delay varies")]
    loss: Annotated[Loss, Field(description="the share of packets that are lost")]


def _form(value: object) -> str:
    if isinstance(value, Mapping):
        return "mapping"
    word = value.strip().lower() if isinstance(value, str) else ""
    return "preset" if word in PRESETS else "rate"


def _top_form(value: object) -> str:
    unshaped = isinstance(value, str) and value.strip().lower() in ("none", "host")
    return "unshaped" if unshaped else _form(value)


WorkerLinkText = Annotated[
    Annotated[Preset, Tag("preset")] | Annotated[RateAlone, Tag("rate")] | Annotated[LinkKeys, Tag("mapping")],
    Discriminator(_form),
]


@with_config(
    ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "anyOf": [{"required": ["rate"]}, {"required": ["up", "down"]}, {"required": ["preset"]}],
            "dependentRequired": {"up": ["down"], "down": ["up"]},
            "not": {"required": ["rate", "up"]},
        },
    )
)
class LinkMapKeys(LinkKeys, total=False):
    """The links of all workers as a mapping: the default link and, under the key ``workers``, links of single ranks."""

    workers: Annotated[
        dict[Rank, WorkerLinkText],
        BeforeValidator(_check_workers),
        Field(description="the links of single workers, by rank", json_schema_extra={"additionalProperties": False}),
    ]


LinkText = Annotated[
    Annotated[UnshapedText, Tag("unshaped")]
    | Annotated[Preset, Tag("preset")]
    | Annotated[RateAlone, Tag("rate")]
    | Annotated[LinkMapKeys, Tag("mapping")],
    Discriminator(_top_form),
]


def link_of(written: Link | int | LinkKeys, base: Link | None) -> Link:
    """Return the link that ``written`` describes.

    Args:
        written: One of the following. Rates are in bits per second. Delay and jitter are in seconds.

            - A ``Link``: returned unchanged.
            - An integer: the rate of both directions. Delay, jitter and loss are those of ``base``, or 0 if ``base`` is
              None.
            - A mapping, such as ``{"rate": 100_000_000, "delay": 0.005}``, with the keys of ``LinkKeys``. The value of
              ``preset`` is a ``Link``. ``LinkKeys`` lists the values that missing keys have.
        base: The default link if ``written`` describes a single worker's link. None if ``written`` describes the
            default link itself.

    Raises:
        ValueError: If rates are missing or contradict each other, or if the jitter exceeds the delay.
    """
    if isinstance(written, Link):
        return written
    if isinstance(written, int):
        return _with_rates(base, written, written)
    link = _with_given_rates(written, written.get("preset", base))
    link = replace(
        link,
        delay_seconds=written.get("delay", link.delay_seconds),
        jitter_seconds=written.get("jitter", link.jitter_seconds),
        loss=written.get("loss", link.loss),
    )
    if link.jitter_seconds > link.delay_seconds:
        raise ValueError("jitter is more than delay, which it varies; raise delay or lower jitter")
    return link


def _with_given_rates(written: LinkKeys, base: Link | None) -> Link:
    rates: dict[str, Any] = {name: written[name] for name in ("rate", "up", "down") if name in written}
    if rates.keys() == {"rate"}:
        return _with_rates(base, rates["rate"], rates["rate"])
    if rates.keys() == {"up", "down"}:
        return _with_rates(base, rates["up"], rates["down"])
    if "rate" in rates:
        raise ValueError("rate is the rate of both directions, and up and down are their single rates; remove rate")
    if rates:
        missing = ({"up", "down"} - rates.keys()).pop()
        raise ValueError(f"a link with the key {next(iter(rates))} needs the key {missing} too; add it, or write rate")
    if base is None:
        raise ValueError("a link needs a rate; add rate: 100mbit, for example, or up and down, or preset")
    return base


def _with_rates(base: Link | None, up: int, down: int) -> Link:
    if base is None:
        return Link(up_bits_per_second=up, down_bits_per_second=down)
    return replace(base, up_bits_per_second=up, down_bits_per_second=down)
