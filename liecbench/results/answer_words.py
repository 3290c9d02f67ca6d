"""The answer for one setting in words: the method to use, how much faster it is, and whether it keeps the accuracy."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from liecbench.config.short_lists import shortened
from liecbench.network.link_map import LinkMap
from liecbench.results.answers import Answer, Outcome
from liecbench.results.passed_over import passed_over
from liecbench.results.recommendation import Recommendation
from liecbench.results.recommendation_words import more_seeds, more_times, why
from liecbench.results.rows import Row
from liecbench.results.setting_verdict import SettingVerdict
from liecbench.results.summary import nothing_compared
from liecbench.results.units import RATIO
from liecbench.results.verdict_words import Words, evidence, quality_clause, ratio_text

_PLACES: Final = {"none": "Without a rate limit", "host": "On this machine's network"}


def answer(verdict: SettingVerdict, words: Words) -> Answer | None:
    """Return the answer for a setting: whether compression pays, and which method to use.

    In some settings nothing can be compared. The first case that applies decides:

    - The baseline learned nothing: the answer says so.
    - No other method has completed a cell: return None.
    - No method can be compared with the baseline: the answer says why.
    """
    found = verdict.recommendation
    if found is None:
        text = _nothing_compared(verdict, words)
        return _answer(verdict, words, "open", text) if text else None
    if found.reason == "baseline":
        text = f"; every other method is slower ({_closest(verdict, words)})"
        return _answer(verdict, words, "no", "stay with", words.baseline, rest=text)
    if found.row is None:
        return _without_recommendation(verdict, found, words)
    best = verdict.rows[found.row]
    others = [verdict.rows[index] for index in found.others]
    faster = [row for row in verdict.rows if row.mean_log_speed > best.mean_log_speed and row not in others]
    open_rows = [row for row in faster if (judged := verdict.accuracy_of(row)) is not None and judged.is_open]
    return replace(
        _gain(verdict, words, "yes", "use", best),
        equal=f"{words.names(others)} would do as well" if others else "",
        passed_over=passed_over(verdict, faster, words, _place(verdict.rows[0], words)),
        more_seeds=more_seeds(verdict, open_rows, words) if open_rows else None,
    )


def _answer(
    verdict: SettingVerdict,
    words: Words,
    outcome: Outcome,
    advice: str,
    method: str = "",
    *,
    rest: str = "",
    advices: tuple[str, ...] = (),
) -> Answer:
    return Answer(
        setting=verdict.setting,
        place=_place(verdict.rows[0], words),
        outcome=outcome,
        advice=advice,
        method=method,
        rest=rest,
        advices=advices,
    )


def _gain(
    verdict: SettingVerdict, words: Words, outcome: Outcome, advice: str, row: Row, *, cost: str | None = None
) -> Answer:
    """Return an answer with a speed-up, such as ``use liec, 5.50× as fast as ddp, and it keeps the accuracy``.

    Args:
        verdict: The verdict on the setting.
        words: The names that the answer uses.
        outcome: Whether compression pays in the setting.
        advice: The words before the method's name, in the example ``use``.
        row: The row of the method.
        cost: The clause on what the speed-up costs, such as ``its accuracy was not measured``. If ``cost`` is None,
            ``quality_clause`` writes the clause from the verdict on the row's accuracy, as in the example.
    """
    judged = verdict.accuracy_of(row) if cost is None else None
    ratio = row.metrics["speedup"]
    return replace(
        _answer(verdict, words, outcome, advice, words.name(row), rest=f" as fast as {words.baseline}"),
        speed=None if ratio is None else ratio.mean,
        gain=ratio_text(ratio),
        cost=quality_clause(row, judged, words) if cost is None else cost,
        evidence=evidence(judged),
    )


def _place(row: Row, words: Words) -> str:
    link = str(LinkMap.parse(row.cells[0].spec["link"]))
    others = words.labels.setting(row, without=("link",))
    return _PLACES.get(link, f"On {link}") + (f" ({others})" if others else "")


def _nothing_compared(verdict: SettingVerdict, words: Words) -> str:
    """Return a sentence that says why no method of a setting was compared with the baseline.

    If the baseline learned nothing, the sentence says so. Otherwise, return an empty text if no other method
    has completed a cell.

    Args:
        verdict: The verdict on the setting. It has no recommendation.
        words: The words for the sentence.
    """
    if verdict.untrained:
        return f"no answer, because {words.baseline} learned nothing ({verdict.untrained})"
    rivals = [row for row in verdict.rows if not row.is_baseline and row.num_completed]
    if not rivals:
        return ""
    missing = f"no answer, because {words.baseline} is missing here; run it, too"
    return next(nothing_compared(verdict, rivals, words), missing)


def _without_recommendation(verdict: SettingVerdict, found: Recommendation, words: Words) -> Answer:
    waiting = [verdict.rows[index] for index in found.waiting]
    fastest = max(waiting, key=lambda row: row.mean_log_speed) if waiting else None
    if fastest is None:
        return _answer(verdict, words, "open", f"not known yet; {why(verdict, found, words)}")
    match found.reason:
        case "lost":
            text = f"; every faster method {words.loses(fastest)}"
            stay = _answer(verdict, words, "no", "stay with", words.baseline, rest=text)
            return replace(stay, passed_over=passed_over(verdict, waiting, words, _place(verdict.rows[0], words)))
        case "dense":
            cost = "it is not shown to beat the fastest method without compression"
            advice = "do without compression; the fastest method is"
            return _gain(verdict, words, "open", advice, fastest, cost=cost)
        case "seeds" | "spread":
            return _undecided(verdict, waiting, words)
        case "not_trained":
            trying = _gain(verdict, words, "timed", "try", fastest, cost="its accuracy was not measured")
            return replace(
                trying, advices=("to know whether they keep the accuracy, train with a dataset and a model",)
            )
        case "rounds" if fastest.speed is not None and fastest.speed.standard_error is None:
            text = f"measure again; {words.name(fastest)} was {_factor(fastest)} as fast in its only measurement"
            return _answer(verdict, words, "open", text, advices=(more_times(verdict, words),))
        case "rounds":
            text = f"; no method is shown to be faster ({_closest(verdict, words)})"
            advices = (more_times(verdict, words),)
            return _answer(verdict, words, "open", "stay with", words.baseline, rest=text, advices=advices)
        case _:
            names = shortened([words.name(row) for row in waiting])
            reason = "cannot be ranked, because other processes disturbed the runs"
            return _answer(verdict, words, "open", f"run again on an idle machine; {names} {reason}")


def _undecided(verdict: SettingVerdict, waiting: Sequence[Row], words: Words) -> Answer:
    """Return the answer for a setting in which no faster method is shown to keep the accuracy, but some still may.

    Faster means shown to be faster than the baseline. ``waiting`` has the rows of the methods whose seeds do not show
    yet whether they keep the accuracy, fastest first.
    """
    likely = [row for row in waiting if (judged := verdict.accuracy_of(row)) is None or not judged.is_below]
    if likely:
        best = max(likely, key=lambda row: row.mean_log_speed)
        found = _gain(verdict, words, "faster", "try", best)
        faster = [row for row in verdict.rows if row.mean_log_speed > best.mean_log_speed]
    else:
        faster = [row for row in verdict.rows if verdict.speed_of(row) == "faster"]
        is_shown = any(one is not None and one.outcome == "lost" for one in map(verdict.accuracy_of, faster))
        loses = words.loses(waiting[0])
        text = f"; every faster method {f'{loses} or probably does' if is_shown else f'probably {loses}'}"
        found = _answer(verdict, words, "open", "stay with", words.baseline, rest=text)
    asked = more_seeds(verdict, likely, words) if likely else None
    return replace(
        found, passed_over=passed_over(verdict, faster, words, _place(verdict.rows[0], words)), more_seeds=asked
    )


def _closest(verdict: SettingVerdict, words: Words) -> str:
    """Return text on the fastest of the methods that were compared with the baseline.

    An example is ``the closest, liec, is 0.60× as fast``.
    """
    rows = [row for row in verdict.rows if row.speed is not None and not row.is_baseline]
    row = max(rows, key=lambda row: row.mean_log_speed)
    return f"the closest, {words.name(row)}, is {_factor(row)} as fast"


def _factor(row: Row) -> str:
    return RATIO.format(math.exp(row.mean_log_speed))
