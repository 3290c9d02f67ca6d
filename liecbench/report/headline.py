"""The words at the top of the page: one headline and, for several settings, what their answers have in common."""

import re
from collections import Counter
from collections.abc import Sequence

from liecbench.results.answer_words import Answer
from liecbench.results.comparison import Comparison
from liecbench.results.verdict_words import listed


def headline(comparison: Comparison) -> str:
    """Return the answer in one sentence: that of the only setting, or in how many of several compression pays."""
    answers = comparison.answers
    if len(answers) == 1:
        return answers[0].line
    if not answers:
        return "No answer: nothing was compared with a baseline"
    counts = Counter(answer.outcome for answer in answers)
    places = "settings" if any("(" in answer.place for answer in answers) else "links"
    every = f"both {places}" if len(answers) == 2 else f"all {len(answers)} {places}"
    quality, baseline = comparison.words.quality(comparison.rows[0]), comparison.words.baseline
    sentences = [
        ("{} is shown to pay on {}", counts["yes"]),
        (f"{{}} is faster on {{}}, but whether it keeps the {quality} is not known yet", counts["faster"]),
        ("{} is faster on {}, but its accuracy was not measured", counts["timed"]),
        (f"stay with {baseline} on {{1}}, where {{0}} does not pay", counts["no"]),
        ("on {1} it is not known yet whether {0} pays", counts["open"]),
    ]
    known = [(text, number) for text, number in sentences if number]
    first = every if len(known) == 1 else f"{known[0][1]} of {len(answers)} {places}"
    texts = [
        text.format("it" if place else "compression", number if place else first)
        for place, (text, number) in enumerate(known)
    ]
    joined = "; ".join(texts)
    return joined[0].upper() + joined[1:]


def costs(answers: Sequence[Answer]) -> list[str]:
    """Return a sentence for each cost of the methods that answers name, with the methods that have it."""
    methods: dict[str, dict[str, None]] = {}
    for answer in answers:
        if answer.cost:
            methods.setdefault(answer.cost, {})[answer.method] = None
    return [f"{listed(list(names))}: {cost}." for cost, names in methods.items()]


def commands(answers: Sequence[Answer]) -> list[str]:
    """Return the commands, in backquotes, that the remarks of answers advise, each once."""
    return list(dict.fromkeys(found for answer in answers for text in answer.remarks for found in _commands(text)))


def _commands(text: str) -> list[str]:
    return re.findall("`[^`]+`", text)
