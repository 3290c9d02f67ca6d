"""The recommendation for one setting: the fastest method that is shown to keep the accuracy, or why there is none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from liecbench.results.accuracy_verdict import AccuracyOutcome, AccuracyVerdict
from liecbench.results.rows import Row
from liecbench.results.speed_verdict import SpeedVerdicts

_FIRST_SEEDS: Final = 5
MAX_USEFUL_SEEDS: Final = 100

Reason = Literal["best", "baseline", "seeds", "spread", "rounds", "lost", "dense", "disturbed", "not_trained"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """The method to use in one setting, such as one link, or the reason why none can be recommended.

    A row holds the results of one method. Attributes give a row as its position, from 0, among the rows of the setting.
    "Faster" and "slower" compare with the baseline, unless another row is named. These rows are candidates:

    - The fastest row without compression, if it is shown to be faster than the baseline.
    - Any other row that is shown to be faster than the baseline and than the fastest row without compression (if there
      is one).

    Attributes:
        row: The recommended row; None if no row can be recommended.
        others: Rows that also keep the accuracy and are not shown to be slower than ``row``.
        reason: The reason for the recommendation, or for its absence:

            - ``best``: ``row`` is a candidate that is shown to keep the accuracy.
            - ``baseline``: Every other row is shown to be slower, and ``row`` is the baseline.
            - ``seeds``: It is not shown whether candidates keep the accuracy. One probably needs at most 100 seeds.
            - ``spread``: It is not shown whether candidates keep the accuracy. Each probably needs over 100 seeds.
            - ``rounds``: No row is shown to be faster, but one may be after more rounds of timing.
            - ``lost``: Every candidate is shown to lose accuracy.
            - ``disturbed``: The rows that may be the fastest cannot be ranked, because other processes disturbed these
              rows and the baseline to different degrees.
            - ``not_trained``: Candidates were timed without training, so that their accuracy is unknown.
            - ``dense``: Rows are faster, but none is shown to be faster than the fastest row without compression.

        seeds: For the reasons ``seeds`` and ``spread``, the number of seeds, including those already run, that probably
            suffices for at least one candidate. Else None.
        waiting: The rows that cannot be recommended because of ``reason``, fastest first; empty for ``best`` and
            ``baseline``.
    """

    row: int | None
    others: tuple[int, ...] = ()
    reason: Reason
    seeds: int | None = None
    waiting: tuple[int, ...] = ()


def recommend(rows: Sequence[Row], accuracy: Sequence[AccuracyVerdict | None], speed: SpeedVerdicts) -> Recommendation:
    """Return the recommendation for one setting, such as one link.

    Args:
        rows: The rows of the setting.
        accuracy: The verdict on each row's accuracy; None if it was not compared.
        speed: The verdicts on the speed of the rows.
    """
    compared = sorted(speed.against_baseline, key=lambda index: -rows[index].mean_log_speed)
    faster = [index for index in compared if speed.against_baseline[index] == "faster"]
    outcome = {index: verdict.outcome for index, verdict in enumerate(accuracy) if verdict is not None}
    if not faster:
        if compared and all(speed.against_baseline[index] == "slower" for index in compared):
            base = next((index for index, row in enumerate(rows) if row.is_baseline), None)
            return Recommendation(row=base, reason="baseline")
        open_rows = [index for index in compared if speed.against_baseline[index] == "not_shown"]
        apart = compared and all(rows[index].cpu_share_differs for index in compared)
        return Recommendation(row=None, reason="disturbed" if apart else "rounds", waiting=tuple(open_rows))
    eligible = [index for index in faster if speed.against_dense.get(index, "faster") == "faster"]
    kept = [index for index in eligible if outcome.get(index) == "kept"]
    if kept:
        best = [index for index in kept if not any((index, other) in speed.beaten for other in kept)]
        unranked = _unranked_rivals(rows, compared[: compared.index(best[0])], outcome)
        if unranked:
            return Recommendation(row=None, reason="disturbed", waiting=unranked)
        return Recommendation(row=best[0], others=tuple(best[1:]), reason="best")
    if not eligible:
        return Recommendation(row=None, reason="dense", waiting=tuple(faster))
    if not all(rows[index].is_trained for index in eligible):
        return Recommendation(row=None, reason="not_trained", waiting=tuple(eligible))
    undecided = [index for index in eligible if outcome.get(index, "not_shown") == "not_shown"]
    if not undecided:
        return Recommendation(row=None, reason="lost", waiting=tuple(eligible))
    fewest, _ = fewest_seeds([accuracy[index] for index in undecided])
    if fewest > MAX_USEFUL_SEEDS:
        return Recommendation(row=None, reason="spread", seeds=fewest, waiting=tuple(undecided))
    return Recommendation(row=None, reason="seeds", seeds=fewest, waiting=tuple(undecided))


def _unranked_rivals(
    rows: Sequence[Row], faster: Sequence[int], outcome: Mapping[int, AccuracyOutcome]
) -> tuple[int, ...]:
    """Return the rows in ``faster`` that might be better than the row to recommend, as positions in ``rows``.

    The returned rows cannot be ranked, because other processes disturbed the runs (see ``Row.cpu_share_differs``). Rows
    that are shown to lose accuracy are left out.

    Args:
        rows: The rows of the setting.
        faster: The positions in ``rows`` of rows with a higher measured speed than the row to recommend.
        outcome: By position in ``rows``, the verdict on the row's accuracy; no entry if accuracy was not compared.
    """
    return tuple(index for index in faster if rows[index].cpu_share_differs and outcome.get(index) != "lost")


def fewest_seeds(found: Sequence[AccuracyVerdict | None]) -> tuple[int, int]:
    """Return (seeds needed, seeds run) of the item of ``found`` that needs the fewest seeds.

    For example, a verdict from 3 seeds counts as (8, 3) if 8 seeds in total will probably decide it. A verdict from
    one seed counts as (5, 1), because one seed is too few for an estimate. None counts as (5, 0).

    Args:
        found: The undecided verdicts (``not_shown``) on the accuracy of methods; None for a method whose accuracy was
            not compared.
    """
    return min((_FIRST_SEEDS, 0) if one is None else (one.seeds_needed or _FIRST_SEEDS, one.num_seeds) for one in found)
