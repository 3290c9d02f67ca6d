"""The rows that figures draw: no more than a screen can show. Tables and exports have all rows."""

from collections.abc import Sequence
from typing import Final

from liecbench.results.row_labels import Labels
from liecbench.results.rows import Row

# More lines in one plot cannot be told apart.
_MOST_PER_SETTING: Final = 24
_FEWEST_PER_SETTING: Final = 3
_MOST: Final = 200


def drawn_rows(rows: Sequence[Row], labels: Labels) -> list[Row]:
    """Return the rows to draw in figures, in the order of ``rows``.

    Only rows with a finished epoch are drawn: all of them, unless there are more than ``_MOST``, or more than
    ``_MOST_PER_SETTING`` in one setting (such as one link). Then every setting is limited to the same number of rows:
    its baseline, its fastest row without compression, and its first other rows. The number lies between
    ``_FEWEST_PER_SETTING`` and ``_MOST_PER_SETTING``. If ``_FEWEST_PER_SETTING`` rows of every setting could be more
    than ``_MOST`` in total, the last settings are left out.
    """
    with_epochs = [row for row in rows if row.has_epochs]
    settings: dict[str, list[Row]] = {}
    for row in with_epochs:
        settings.setdefault(labels.setting(row), []).append(row)
    if len(with_epochs) <= _MOST and max(map(len, settings.values()), default=0) <= _MOST_PER_SETTING:
        return with_epochs
    share = min(_MOST_PER_SETTING, max(_FEWEST_PER_SETTING, _MOST // len(settings)))
    groups = list(settings.values())[: _MOST // share]
    chosen = {id(row) for group in groups for row in sorted(group, key=_rank)[:share]}
    return [row for row in with_epochs if id(row) in chosen]


def _rank(row: Row) -> bool:
    return not (row.is_baseline or row.is_dense)
