"""Rates of links, and keys that are equal for cells and rows that differ only in the rate of their links."""

import json
from collections.abc import Mapping
from typing import Any

from liecbench.network.link_map import LinkMap
from liecbench.results.rows import Row


def rate_and_shape(link: object) -> tuple[int, str] | None:
    """Return a link's up rate in bits per second and its shape; None if the link is not valid or has no rate limit.

    The shape is ``LinkMap.shape``, a text with the ratios between the rates, and with delay, jitter and loss. The shape
    stays the same if all rates are multiplied by one factor. If ranks have different links, the up rate is that of the
    default link.

    Args:
        link: A ``LinkMap``, or a link as in a scenario file.
    """
    try:
        links = link if isinstance(link, LinkMap) else LinkMap.parse(link)
    except ValueError:
        return None
    return None if links.default is None else (links.default.up_bits_per_second, links.shape)


def without_rate(spec: Mapping[str, Any]) -> str:
    """Return a key that stays the same if all link rates of a cell are multiplied by one factor.

    Any other difference changes the key, except in the field ``added_rate``, which is True if a run added the link rate
    to narrow a break-even.

    Args:
        spec: A cell's fields as plain JSON values.
    """
    link = rate_and_shape(spec["link"])
    others = {name: value for name, value in spec.items() if name not in ("link", "added_rate")}
    return json.dumps([others, spec["link"] if link is None else {"shape": link[1]}], sort_keys=True)


def symmetric_rate(link: object) -> int | None:
    """Return a link's rate in bits per second, given the link as in a scenario file.

    None if rates differ by rank or direction, if the link has delay, jitter or loss, or if it is not a valid link.
    """
    found = rate_and_shape(link)
    return None if found is None or found[1] else found[0]


def without_link(row: Row) -> str:
    """Return a key that is equal for rows whose cells differ only in their links and seeds."""
    # Earlier versions trained the cells of one link and composed those of the other links from them, so that rows of
    # one method can differ in their field "timing". The timing that the scenario asks for is the same in all of them.
    fields: dict[str, Any] = {name: value for name, value in row.fields.items() if name != "link"}
    return json.dumps({**fields, "timing": row.cells[0].spec["timing"]})
