"""Sentences on the accuracy of the methods in one setting, for the verdict that a comparison prints."""

from collections.abc import Iterator

from liecbench.results.accuracy_verdict import AccuracyVerdict
from liecbench.results.rows import Row
from liecbench.results.setting_verdict import SettingVerdict
from liecbench.results.verdict_words import Words, difference_text, listed

_MAX_ROWS_NAMED = 4


def accuracy_lines(verdict: SettingVerdict, words: Words) -> Iterator[str]:
    """Yield one sentence that names the methods that keep the baseline's accuracy, that lose it, and that show neither.

    Yield nothing if no method shares a seed with the baseline.
    """
    judged = [(row, found) for row, found in zip(verdict.rows, verdict.accuracy, strict=True) if found is not None]
    if not judged:
        return
    parts = [
        f"{word} {_named([pair for pair in judged if pair[1].outcome == outcome], words)}"
        for outcome, word in (("kept", "kept by"), ("lost", "lost by"), ("not_shown", "not shown for"))
        if any(found.outcome == outcome for _, found in judged)
    ]
    first = judged[0][1]
    what = "test loss" if first.by_loss else "accuracy"
    yield f"{words.baseline}'s {what} to {words.tolerance(first)}: {'; '.join(parts)}{_few_seeds(judged)}"


def _named(judged: list[tuple[Row, AccuracyVerdict]], words: Words) -> str:
    named = [f"{words.name(row)} {difference_text(found)}" for row, found in judged[:_MAX_ROWS_NAMED]]
    more = [f"{len(judged) - _MAX_ROWS_NAMED} more"] if len(judged) > _MAX_ROWS_NAMED else []
    return listed([*named, *more])


def _few_seeds(judged: list[tuple[Row, AccuracyVerdict]]) -> str:
    if any(found.num_seeds > 1 for _, found in judged):
        return ""
    error = judged[0][1].one_seed_error
    size = f"; the size of the test set alone makes it uncertain by up to ±{200 * error:.1f} points" if error else ""
    return f" (one seed shows nothing{size})"
