"""The answer for one setting in plain words: what to do on these links, how much it gains and what it costs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from liecbench.network.link_map import LinkMap
from liecbench.results.recommendation import Recommendation
from liecbench.results.recommendation_words import more_times, why
from liecbench.results.rows import Row
from liecbench.results.setting_verdict import SettingVerdict
from liecbench.results.summary import nothing_compared
from liecbench.results.units import RATIO
from liecbench.results.verdict_words import Words, quality_clause, ratio_text, shortened

# yes: compression pays. no: it does not. faster: it is faster, and not shown to keep accuracy yet. timed: it is faster,
# and accuracy was not measured. open: not known yet.
Outcome = Literal["yes", "no", "faster", "timed", "open"]
_PLACES: Final = {"none": "Without a rate limit", "host": "On this machine's network"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer for one setting, such as one link. It is in parts, because a page with many answers shows some once.

    Attributes:
        setting: The setting's name among the settings of the comparison; empty if there is only one.
        place: The links in words, with the rest of the setting, such as ``On 20mbit (workers 4)``.
        outcome: Whether compression pays there.
        advice: What to do, such as ``use`` or ``stay with``, which the method follows; a whole sentence if ``method``
            is empty.
        method: The method to which the advice refers; empty for none.
        gain: The method's speed-up with its interval, such as ``5.50× (5.42 to 5.58)``; empty for none.
        rest: What follows the method or its gain, such as `` as fast as ddp``.
        cost: A clause on what the gain costs, such as ``its accuracy is not known yet (+0.3 points after 1 seed)``;
            empty for none.
        remarks: Further sentences: methods that are as good, or faster at a cost, and what to do to learn more.
    """

    setting: str
    place: str
    outcome: Outcome
    advice: str
    method: str = ""
    gain: str = ""
    rest: str = ""
    cost: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The answer with its place, in one sentence: ``On 20mbit: use liec, 5.50× (5.42 to 5.58) as fast as ddp``."""
        method = f" {self.method}" if self.method else ""
        gain = f", {self.gain}" if self.gain else ""
        cost = f", {'and' if self.outcome == 'yes' else 'but'} {self.cost}" if self.cost else ""
        return f"{self.place}: {self.advice}{method}{gain}{self.rest}{cost}"


def answer(verdict: SettingVerdict, words: Words) -> Answer | None:
    """Return the answer for a setting; None if no method but the baseline has completed there."""
    found = verdict.recommendation
    if found is None:
        text = _nothing_compared(verdict, words)
        return _answer(verdict, words, "open", text) if text else None
    if found.reason == "baseline":
        text = f"; every other method is slower ({_closest(verdict, words)})"
        return _answer(verdict, words, "no", "stay with", words.baseline, rest=text)
    if found.row is None:
        return _without_recommendation(verdict, found, words)
    return _gain(verdict, words, "yes", "use", verdict.rows[found.row], remarks=tuple(_remarks(verdict, found, words)))


def _answer(
    verdict: SettingVerdict,
    words: Words,
    outcome: Outcome,
    advice: str,
    method: str = "",
    *,
    gain: str = "",
    rest: str = "",
    cost: str = "",
    remarks: tuple[str, ...] = (),
) -> Answer:
    return Answer(
        setting=verdict.setting,
        place=_place(verdict.rows[0], words),
        outcome=outcome,
        advice=advice,
        method=method,
        gain=gain,
        rest=rest,
        cost=cost,
        remarks=remarks,
    )


def _gain(
    verdict: SettingVerdict,
    words: Words,
    outcome: Outcome,
    advice: str,
    row: Row,
    *,
    cost: str | None = None,
    remarks: tuple[str, ...] = (),
) -> Answer:
    """Return advice on a faster method; if ``cost`` is None, the cost is the verdict on the method's accuracy."""
    clause = quality_clause(row, verdict.accuracy_of(row), words) if cost is None else cost
    gain, rest = ratio_text(row.metrics["speedup"]), f" as fast as {words.baseline}"
    method = words.name(row)
    return _answer(verdict, words, outcome, advice, method, gain=gain, rest=rest, cost=clause, remarks=remarks)


def _place(row: Row, words: Words) -> str:
    link = str(LinkMap.parse(row.cells[0].spec["link"]))
    others = words.labels.setting(row, without=("link",))
    return _PLACES.get(link, f"On {link}") + (f" ({others})" if others else "")


def _nothing_compared(verdict: SettingVerdict, words: Words) -> str:
    """Return a sentence that says why there is no answer; empty if no method but the baseline has completed."""
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
    next_step = why(verdict, found, words)
    if fastest is None:
        return _answer(verdict, words, "open", f"not known yet; {next_step}")
    match found.reason:
        case "lost":
            text = f"; every faster method {words.loses(fastest)} ({_closest(verdict, words, 'the fastest')})"
            return _answer(verdict, words, "no", "stay with", words.baseline, rest=text)
        case "dense":
            cost = "it is not shown to beat the fastest method without compression"
            advice = "do without compression; the fastest method is"
            return _gain(verdict, words, "open", advice, fastest, cost=cost)
        case "seeds" | "spread":
            likely = [row for row in waiting if _may_keep_quality(verdict, row, words)]
            if likely:
                best = max(likely, key=lambda row: row.mean_log_speed)
                return _gain(verdict, words, "faster", "try", best, remarks=(next_step,))
            text = f"; every faster method probably {words.loses(fastest)} ({_closest(verdict, words, 'the fastest')})"
            return _answer(verdict, words, "open", "stay with", words.baseline, rest=text, remarks=(next_step,))
        case "not_trained":
            cost = "its accuracy was not measured"
            return _gain(verdict, words, "timed", "try", fastest, cost=cost, remarks=(next_step,))
        case "rounds" if fastest.speed is not None and fastest.speed.standard_error is None:
            text = f"measure again; {words.name(fastest)} was {_factor(fastest)} as fast in its only measurement"
            return _answer(verdict, words, "open", text, remarks=(more_times(verdict, words),))
        case "rounds":
            text = f"; no method is shown to be faster ({_closest(verdict, words)})"
            remarks = (more_times(verdict, words),)
            return _answer(verdict, words, "open", "stay with", words.baseline, rest=text, remarks=remarks)
        case _:
            names = shortened([words.name(row) for row in waiting])
            reason = "cannot be ranked, because other processes disturbed the runs"
            return _answer(verdict, words, "open", f"run again on an idle machine; {names} {reason}")


def _may_keep_quality(verdict: SettingVerdict, row: Row, words: Words) -> bool:
    """Return False if the 95 % interval of the row's accuracy difference lies wholly below −tolerance.

    The verdict on such a row may still be ``not_shown``, because its test is Holm-adjusted over all rows.
    """
    accuracy = verdict.accuracy_of(row)
    if accuracy is None or accuracy.difference.high is None:
        return True
    tolerance = words.tolerances.loss if accuracy.by_loss else words.tolerances.accuracy
    return accuracy.difference.high >= -tolerance


def _closest(verdict: SettingVerdict, words: Words, what: str = "the closest") -> str:
    """Return text such as ``the closest, liec, is 0.60× as fast``, on the fastest method that was compared."""
    rows = [row for row in verdict.rows if row.speed is not None and not row.is_baseline]
    row = max(rows, key=lambda row: row.mean_log_speed)
    return f"{what}, {words.name(row)}, is {_factor(row)} as fast"


def _factor(row: Row) -> str:
    return RATIO.format(math.exp(row.mean_log_speed))


def _remarks(verdict: SettingVerdict, found: Recommendation, words: Words) -> Iterator[str]:
    """Yield sentences on the rows that are as good as the recommended one, and on those that are faster at a cost."""
    assert found.row is not None, "a row is recommended"
    others = [verdict.rows[index] for index in found.others]
    if others:
        yield f"{words.names(others)} would do as well"
    best = verdict.rows[found.row]
    for row in sorted(verdict.rows, key=lambda row: -row.mean_log_speed):
        if row.mean_log_speed > best.mean_log_speed and row not in others:
            cost = quality_clause(row, verdict.accuracy_of(row), words)
            speed = f"{words.name(row)} is {ratio_text(row.metrics['speedup'])} as fast as {words.baseline}"
            yield f"{speed}; {cost}" if cost else speed
