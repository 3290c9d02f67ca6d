"""Remarks on the answers: equally good methods, faster methods that are not recommended, and what to run next."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from liecbench.results.answers import Answer
from liecbench.results.passed_over import passed_over_lines
from liecbench.results.recommendation_words import MoreSeeds
from liecbench.results.verdict_words import Words


def remark_lines(answers: Sequence[Answer], words: Words) -> Iterator[str]:
    """Yield lines on equally good methods, faster methods that are not recommended, and what to run next.

    A line on equally good methods is about one setting. Any other line may be about several settings.

    Args:
        answers: The answers, one per setting.
        words: The names and directories of the comparison.
    """
    for answer in answers:
        if answer.equal:
            yield answer.equal if len(answers) == 1 else f"{answer.place}: {answer.equal}"
    yield from passed_over_lines([one for answer in answers for one in answer.passed_over], len(answers))
    questions = [answer.more_seeds for answer in answers if answer.more_seeds is not None]
    for quality in dict.fromkeys(one.quality for one in questions):
        yield _together([one for one in questions if one.quality == quality]).text(words)
    yield from dict.fromkeys(advice for answer in answers for advice in answer.advices)


def _together(questions: Sequence[MoreSeeds]) -> MoreSeeds:
    """Merge estimates of needed seeds, one per setting, into one estimate.

    The merged estimate names the methods of all settings, and has the largest number of seeds. All estimates must have
    the same ``quality``, such as ``accuracy``.
    """
    methods = tuple(dict.fromkeys(name for one in questions for name in one.methods))
    return replace(max(questions, key=lambda one: (one.seeds, -one.ran)), methods=methods)
