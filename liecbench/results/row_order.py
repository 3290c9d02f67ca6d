"""The order in which the rows of a comparison are shown."""

import math
from collections.abc import Sequence

from liecbench.network.link_map import LinkMap
from liecbench.results.cell_groups import SETTING_FIELDS, WORKLOAD_FIELDS, comparable_key
from liecbench.results.equal_work import seconds_per_work
from liecbench.results.rows import Row


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Return the rows in the order in which they are shown.

    They are sorted by the number of workers, the link (slowest first), and the other fields of the setting and the
    workload. Rows that agree in these, but may not be compared with each other, such as rows of two results
    directories, stay in their order. Rows that may be compared are sorted by the time for equally many samples, fastest
    first.
    """
    settings: dict[tuple[tuple[object, ...], bytes], list[Row]] = {}
    for row in rows:
        settings.setdefault((_setting(row), comparable_key(row.cells[0])), []).append(row)
    return [row for key in sorted(settings, key=lambda key: key[0]) for row in _fastest_first(settings[key])]


def _fastest_first(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of one setting, sorted by the time for equally many samples; rows without times come last."""
    timed = [(row, value.mean) for row in rows if (value := row.metrics["seconds_per_epoch"]) is not None]
    work = seconds_per_work([(seconds, row.pace.compared_samples) for row, seconds in timed])
    found = {id(row): seconds for (row, _), seconds in zip(timed, work, strict=True)}
    return sorted(rows, key=lambda row: found.get(id(row), math.inf))


def _setting(row: Row) -> tuple[object, ...]:
    """Return a key that is equal for rows of one setting, and that sorts settings."""
    names = [name for name in (*SETTING_FIELDS, *WORKLOAD_FIELDS) if name not in ("timing", "link")]
    setting = tuple(str(row.fields.get(name)).rjust(12) for name in names)
    link = (_rate(row), str(row.fields.get("link")))
    return (setting[:1], link, setting[1:])


def _rate(row: Row) -> tuple[float, ...]:
    """Return a key that sorts rows by the rate of their links, slowest first; rows without a limit come last."""
    link = LinkMap.parse(row.cells[0].spec["link"])
    return link.speed if link.shaped else (math.inf,)
