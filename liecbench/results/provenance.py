"""Words that tell how the times of rows were obtained, unless they were measured in training."""

from collections.abc import Sequence

from liecbench.network.slowdown import replays_text
from liecbench.results.rows import Row


def provenance(rows: Sequence[Row]) -> str:
    """Return a suffix that tells how the rows' times were obtained, such as `` (replayed ×1–16)``.

    The suffix has the words that apply to at least one row. The suffix is empty if no word applies to any row. The
    words mean:

    - ``replayed``: The ranks slept as long as a profile says, instead of computing. ``×1–16`` is the range of the
      replays' dilations. This range is left out if all dilations are 1.
    - ``scaled ÷4``: The replays sent messages of a quarter of the emulated size.
    - ``not trained``: Only steps of a profile were timed.
    - ``estimated``: The ranks' processes, and not the kernel, limited the rate of messages.
    - ``composed``: An earlier version of liecbench computed the times from a sample of timed steps.
    - ``in part``, at the end: Some rows need none of these words, because their times are measured.
    """
    replayed = [row for row in rows if row.is_replayed]
    words = list(_kinds(rows))
    if replayed:
        found = replays_text([row.dilation for row in replayed], [row.message_divisor for row in replayed])
        words = [found if word == "replayed" else word for word in words]
    return f" ({', '.join(words[:-1])}{words[-1]})" if words else ""


def shared_provenance(groups: Sequence[Sequence[Row]]) -> str:
    """Return one suffix that tells how the times of all groups were obtained, such as `` (replayed ×4–8)``.

    The suffix is the result of ``provenance`` for all rows together. If the groups need different words, such as
    ``replayed`` and ``estimated``, the suffix is empty. Only the numbers, such as ×4 and ×8, may differ.
    """
    return provenance([row for rows in groups for row in rows]) if len({_kinds(rows) for rows in groups}) == 1 else ""


def _kinds(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return words that tell how the rows' times were obtained, such as ``("replayed", " in part")``.

    The words are ``composed``, ``replayed``, ``not trained`` and ``estimated``. A word is returned if it applies to at
    least one row; ``provenance`` explains the words. The last item is ``" in part"`` if at least one row needs no word,
    else ``""``. The tuple is empty if no row needs a word.
    """
    by_row = [
        {
            "composed": row.fields["timing"] == "composed",
            "replayed": row.is_replayed,
            "not trained": not row.is_trained,
            "estimated": _is_paced(row),
        }
        for row in rows
    ]
    found = tuple(
        kind for kind in ("composed", "replayed", "not trained", "estimated") if any(of[kind] for of in by_row)
    )
    return (*found, "" if all(any(of.values()) for of in by_row) else " in part") if found else ()


def _is_paced(row: Row) -> bool:
    return row.fields.get("enforcement") == "process" and row.fields["link"] not in ("none", "host")
