"""The words at the top of the report: a headline with the method to use on each link, and the numbers behind it."""

from collections.abc import Iterator, Sequence
from typing import Final

from liecbench.config.short_lists import listed
from liecbench.results.answers import Answer, Outcome
from liecbench.results.comparison import Comparison
from liecbench.results.passed_over import speed_range
from liecbench.results.verdict_words import places_text

# The order of the outcomes, each with what is not known of its methods.
_OPEN: Final[dict[Outcome, str]] = {
    "yes": "",
    "faster": "whether {} the {quality} is not known yet",
    "timed": "their accuracy was not measured",
    "no": "",
    "open": "",
}


def headline(comparison: Comparison) -> str:
    """Return one sentence that names the method to use in each setting. A setting is, for example, one link.

    If nothing was compared with a baseline, the sentence says so.
    """
    answers = comparison.answers
    if len(answers) == 1:
        return answers[0].headline
    if not answers:
        return "No answer: nothing was compared with a baseline"
    sentences = []
    for outcome, remark in _OPEN.items():
        found = [one for one in answers if one.outcome == outcome]
        groups = _groups(found, [(one.advice, one.method) for one in found])
        if groups:
            sentences.append(listed([_advice(group, len(answers)) for group in groups]))
        if groups and remark:
            keeps = "it keeps" if len({group[0].method for group in groups}) == 1 else "they keep"
            sentences.append(remark.format(keeps, quality=comparison.words.quality(comparison.rows[0])))
    text = "; ".join(sentences)
    return text[0].upper() + text[1:]


def answer_lines(answers: Sequence[Answer]) -> Iterator[tuple[str, str, str]]:
    """Yield three texts (links, advice, numbers) for each group of answers with the same advice.

    ``links`` names the links of the group, such as ``On 20mbit``. ``advice`` for one link is, for instance, ``use liec,
    5.50× (5.42 to 5.58) as fast as ddp``, and for several links ``use liec, 1.72× on 1gbit to 4.84× on 100mbit as fast
    as ddp``. ``numbers`` is the evidence on accuracy or test loss, such as ``-0.1 points, -0.3 to +0.1, after 10
    seeds``, or empty.
    """
    # A speed-up may differ from link to link. What an answer says without one holds for its link only.
    keys = [(one.advice, one.method, one.cost, one.evidence, one.rest * (one.speed is None)) for one in answers]
    for group in _groups(answers, keys):
        first, speeds = group[0], [(one.speed, one.place) for one in group if one.speed is not None]
        gain = first.gain if len(group) == 1 else speed_range(speeds) if speeds else ""
        where = _where(group, len(answers))
        yield where[0].upper() + where[1:], first.told(gain), first.evidence


def _groups(answers: Sequence[Answer], keys: Sequence[tuple[str, ...]]) -> list[list[Answer]]:
    groups: dict[tuple[str, ...], list[Answer]] = {}
    for one, key in zip(answers, keys, strict=True):
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def _where(group: Sequence[Answer], num_answers: int) -> str:
    if len(group) < num_answers or num_answers == 1:
        return places_text([answer.place for answer in group])
    places = "settings" if any("(" in answer.place for answer in group) else "links"
    return f"on both {places}" if num_answers == 2 else f"on all {num_answers} {places}"


def _advice(group: Sequence[Answer], num_answers: int) -> str:
    first, where = group[0], _where(group, num_answers)
    if not first.method:
        return f"no answer yet {where}"
    verb, names_later, _ = first.advice.partition(";")
    return f"{verb} {where}" if names_later else f"{verb} {first.method} {where}"
