"""The answer for one setting in plain words: what to use on these links, how much it gains and what it costs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from liecbench.network.link_map import LinkMap
from liecbench.results.recommendation import Recommendation
from liecbench.results.recommendation_words import why
from liecbench.results.rows import Row
from liecbench.results.setting_verdict import SettingVerdict
from liecbench.results.summary import nothing_compared
from liecbench.results.verdict_words import Words, difference_text, ratio_text, shortened

# yes: compression pays. no: it does not. faster: it is faster, and not shown to keep accuracy yet. timed: it is faster,
# and accuracy was not measured. open: not known yet.
Outcome = Literal["yes", "no", "faster", "timed", "open"]
_PLACES: Final = {"none": "Without a rate limit", "host": "On this machine's network"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer for one setting, such as one link.

    Attributes:
        setting: The setting's name among the settings of the comparison; empty if there is only one.
        place: The links in words, with the rest of the setting, such as ``On 20mbit (workers 4)``.
        outcome: Whether compression pays there.
        text: One sentence without its place, such as ``use liec: 5.50× (5.42 to 5.58) as fast as ddp, accuracy kept``.
        remarks: Further sentences: methods that are as good, or faster at a cost, and what to do to learn more.
    """

    setting: str
    place: str
    outcome: Outcome
    text: str
    remarks: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The answer with its place, in one line."""
        return f"{self.place}: {self.text}"


def answer(verdict: SettingVerdict, words: Words) -> Answer | None:
    """Return the answer for a setting; None if no method but the baseline has completed there."""
    outcome, text, *remarks = _answer(verdict, words)
    if not text:
        return None
    place = _place(verdict.rows[0], words)
    return Answer(setting=verdict.setting, place=place, outcome=outcome, text=text, remarks=tuple(remarks))


def _place(row: Row, words: Words) -> str:
    link = str(LinkMap.parse(row.cells[0].spec["link"]))
    others = words.labels.setting(row, without=("link",))
    return _PLACES.get(link, f"On {link}") + (f" ({others})" if others else "")


def _answer(verdict: SettingVerdict, words: Words) -> tuple[Outcome, str, *tuple[str, ...]]:
    """Return the outcome, the answer (empty for none), and any remarks."""
    found = verdict.recommendation
    if verdict.untrained:
        return "open", f"no answer, because {words.baseline} learned nothing: {verdict.untrained}"
    if found is None:
        rivals = [row for row in verdict.rows if not row.is_baseline and row.num_completed]
        missing = f"no answer, because {words.baseline} is missing here; run it, too"
        texts = list(nothing_compared(verdict, rivals, words)) if rivals else [""]
        return "open", texts[0] if texts else missing
    if found.reason == "baseline":
        rows = [row for row in verdict.rows if row.speed is not None and not row.is_baseline]
        closest = max(rows, key=lambda row: row.mean_log_speed)
        return "no", f"no, keep {words.baseline}: every other method is slower; the closest is {_speed(closest, words)}"
    if found.row is None:
        return _without_recommendation(verdict, found, words)
    row = verdict.rows[found.row]
    return "yes", f"use {_speed(row, words)}{_accuracy(verdict, row, words)}", *_remarks(verdict, found, words)


def _without_recommendation(
    verdict: SettingVerdict, found: Recommendation, words: Words
) -> tuple[Outcome, str, *tuple[str, ...]]:
    waiting = [verdict.rows[index] for index in found.waiting]
    fastest = max(waiting, key=lambda row: row.mean_log_speed) if waiting else None
    next_step = why(verdict, found, words)
    if fastest is None:
        return "open", f"not known yet: {next_step}"
    speed, cost = _speed(fastest, words), _accuracy(verdict, fastest, words)
    match found.reason:
        case "lost":
            return "no", f"no: every faster method {words.loses(verdict.rows[0])}; the fastest is {speed}{cost}"
        case "dense":
            return "open", f"no gain shown: {speed}{cost}, but not shown to beat the fastest method without compression"
        case "seeds" | "spread":
            return "faster", f"{speed}{cost}", next_step
        case "not_trained":
            return "timed", f"{speed}; its accuracy was not measured", next_step
        case "rounds" if fastest.speed is not None and fastest.speed.standard_error is None:
            return "open", f"not known yet: {speed}", next_step
        case "rounds":
            return "open", f"no gain shown; the closest is {speed}", next_step
        case _:
            names = shortened([words.name(row) for row in waiting])
            reason = "cannot be ranked, because other processes disturbed the runs"
            return "open", f"not known yet: {names} {reason}; run again on an idle machine"


def _remarks(verdict: SettingVerdict, found: Recommendation, words: Words) -> Iterator[str]:
    """Yield sentences on the rows that are as good as the recommended one, and on those that are faster at a cost."""
    assert found.row is not None, "a row is recommended"
    others = [verdict.rows[index] for index in found.others]
    if others:
        yield f"{words.names(others)} would do as well"
    best = verdict.rows[found.row]
    for row in sorted(verdict.rows, key=lambda row: -row.mean_log_speed):
        if row.mean_log_speed > best.mean_log_speed and row not in others:
            yield f"{_speed(row, words)}{_accuracy(verdict, row, words)}"


def _speed(row: Row, words: Words) -> str:
    """Return text such as ``liec: 5.50× (5.42 to 5.58) as fast as ddp``."""
    return f"{words.name(row)}: {ratio_text(row.metrics['speedup'])} as fast as {words.baseline}"


def _accuracy(verdict: SettingVerdict, row: Row, words: Words) -> str:
    """Return the verdict on a row's accuracy as a clause that ends a sentence; empty if it was not compared."""
    found = verdict.accuracy_of(row)
    if found is None:
        return ""
    word = "not shown to be kept" if found.outcome == "not_shown" else found.word
    return f", {words.quality(row)} {word}: {difference_text(found)}"
