"""The verdicts on speed in one setting: each row compared with the baseline, and the rows that may be the fastest."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from liecbench.results.ratio_interval import LogRatio
from liecbench.results.rows import Row
from liecbench.results.statistics import holm

SpeedOutcome = Literal["faster", "slower", "not_shown"]
# The verdicts on a setting of equal methods may err in 5 % of runs. 0.5 % of this is left to the verdicts on accuracy.
_LEVEL: Final = 0.045


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedVerdicts:
    """The verdicts on the speed of the rows of one setting.

    All attributes give rows as positions, from 0, among the rows of the setting. ``against_baseline``,
    ``against_dense`` and ``beaten`` are Holm-adjusted separately. Each contains a wrong verdict in at most 4.5 % of
    runs.

    Attributes:
        against_baseline: For each compared row, whether the row is shown to be faster or slower than the baseline.
        against_dense: For each compared row, whether the row is shown to be faster or slower than the fastest row
            without compression. Empty if the baseline is the fastest row without compression, or if all rows compress.
        beaten: The pairs of rows (slower, faster) whose difference in speed is shown.
        fastest: The rows that have times and are not the slower row of any pair in ``beaten``.
    """

    against_baseline: dict[int, SpeedOutcome]
    against_dense: dict[int, SpeedOutcome]
    beaten: frozenset[tuple[int, int]]
    fastest: tuple[int, ...]


def speed_verdicts(rows: Sequence[Row]) -> SpeedVerdicts:
    """Return the verdicts on speed in one setting, such as a link: the rows shown to be faster or slower than others.

    Args:
        rows: The rows of the setting. Rows without times get no verdict. The verdicts name a row by its position in
            ``rows``.
    """
    timed = [index for index, row in enumerate(rows) if row.pace.by_seed]
    to_baseline = {i: _ranked(rows[i].speed, allowed=not rows[i].cpu_share_differs) for i in timed}
    dense = next((row for row in rows if row.is_dense), None)
    to_dense = {
        i: _ranked(rows[i].dense_speed, allowed=dense is not None and not _disturbed(rows[i], dense)) for i in timed
    }
    against_baseline = _outcomes({i: ratio for i, ratio in to_baseline.items() if rows[i].speed is not None})
    # Two rows are compared with each other only if some row differs from the baseline. So if all methods are equally
    # fast, at most 4.5 % of runs have a wrong verdict in any of the three families. Otherwise their errors can add up.
    differ = not against_baseline or any(outcome != "not_shown" for outcome in against_baseline.values())
    rivals = [
        i for i in timed if dense is not None and not (dense.is_baseline or rows[i].is_baseline or rows[i].is_dense)
    ]
    against_dense = _outcomes({i: to_dense[i] if differ else None for i in rivals})
    beaten = _beaten(rows, timed) if differ else frozenset()
    slower = {loser for loser, _ in beaten}
    return SpeedVerdicts(
        against_baseline=against_baseline,
        against_dense=against_dense,
        beaten=beaten,
        fastest=tuple(index for index in timed if index not in slower),
    )


def _ranked(ratio: LogRatio | None, *, allowed: bool) -> LogRatio | None:
    return ratio if allowed else None


def _disturbed(row: Row, other: Row) -> bool:
    return row.pace.disturbed_differently(other.pace)


def _outcomes(ratios: dict[int, LogRatio | None]) -> dict[int, SpeedOutcome]:
    """Return for each row whether the row is shown to be faster or slower than a reference row, such as the baseline.

    The outcome is ``not_shown`` if neither is shown, or if the row's ratio is None. The tests of all ratios are
    Holm-adjusted together. The result has the keys of ``ratios``.

    Args:
        ratios: ln(speed-up over the reference row) of each row. The key is the row's position among the rows of the
            setting.
    """
    p_values = holm([1.0 if ratio is None else ratio.p_value for ratio in ratios.values()])
    outcomes: dict[int, SpeedOutcome] = {}
    for (index, ratio), p_value in zip(ratios.items(), p_values, strict=True):
        shown = ratio is not None and p_value <= _LEVEL
        outcomes[index] = "not_shown" if not shown or ratio is None else "faster" if ratio.mean > 0 else "slower"
    return outcomes


def _beaten(rows: Sequence[Row], timed: Sequence[int]) -> frozenset[tuple[int, int]]:
    pairs = list(itertools.combinations(timed, 2))
    ratios = [None if _disturbed(rows[a], rows[b]) else rows[a].pace.speed_over(rows[b].pace) for a, b in pairs]
    p_values = holm([1.0 if ratio is None else ratio.p_value for ratio in ratios])
    return frozenset(
        (b, a) if ratio.mean > 0 else (a, b)
        for (a, b), ratio, p_value in zip(pairs, ratios, p_values, strict=True)
        if ratio is not None and p_value <= _LEVEL
    )
