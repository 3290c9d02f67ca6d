"""Sentences on the accuracy of the methods in one setting, for the verdict that a comparison prints."""

from collections.abc import Iterator

from liecbench.config.short_lists import shortened
from liecbench.results.accuracy_verdict import AccuracyVerdict
from liecbench.results.rows import Row
from liecbench.results.setting_verdict import SettingVerdict
from liecbench.results.verdict_words import Words, difference_text


def accuracy_lines(verdict: SettingVerdict, words: Words) -> Iterator[str]:
    """Yield a single sentence: which methods keep the baseline's accuracy, and which lose accuracy.

    The sentence also names the methods for which the verdict is not known yet. An example is
    ``accuracy within 0.5 points of ddp's: kept by liec +0.1 points (-0.2 to +0.4)``. For language models, the sentence
    is on the test loss. Yield nothing if no method has a verdict, for example because nothing was trained, or because
    no method shares a seed with the baseline.

    Args:
        verdict: The verdicts on all methods of one setting.
        words: The names and the tolerance to write.
    """
    judged = [(row, found) for row, found in zip(verdict.rows, verdict.accuracy, strict=True) if found is not None]
    if not judged:
        return
    parts = [
        f"{'not known yet for' if outcome == 'not_shown' else f'{alike[0][1].word} by'} {_named(alike, words)}"
        for outcome in ("kept", "lost", "not_shown")
        if (alike := [pair for pair in judged if pair[1].outcome == outcome])
    ]
    yield f"{words.within(judged[0][1])}: {'; '.join(parts)}{_few_seeds(judged)}"


def _named(judged: list[tuple[Row, AccuracyVerdict]], words: Words) -> str:
    return shortened([f"{words.name(row)} {difference_text(found)}" for row, found in judged])


def _few_seeds(judged: list[tuple[Row, AccuracyVerdict]]) -> str:
    if any(found.num_seeds > 1 for _, found in judged):
        return ""
    error = judged[0][1].one_seed_error
    size = f"; the size of the test set alone leaves ±{200 * error:.1f} points open" if error else ""
    return f" (one seed cannot show this{size})"
