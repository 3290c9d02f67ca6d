"""Words and sentences on the speed of the methods in one setting, for the verdict that a comparison prints."""

from collections.abc import Iterator, Sequence

from liecbench.config.short_lists import shortened
from liecbench.results.rows import Row
from liecbench.results.setting_verdict import SettingVerdict
from liecbench.results.verdict_words import Words, ratio_text


def speed_lines(verdict: SettingVerdict, words: Words) -> Iterator[str]:
    """Yield sentences on speed: which methods are fastest, or that none is shown to be faster than the baseline.

    A last sentence names the methods that are not ranked. A method is not ranked if other processes disturbed the
    method and the baseline to very different degrees.
    """
    rows, speed = verdict.rows, verdict.speed
    ranked = sorted(speed.against_baseline, key=lambda index: -rows[index].mean_log_speed)
    faster = [index for index in ranked if speed.against_baseline[index] == "faster"]
    apart = [rows[index] for index in ranked if rows[index].cpu_share_differs]
    if faster:
        best = [index for index in faster if index in speed.fastest] or faster[:1]
        yield _fastest_line([rows[index] for index in best], words, of=" of those ranked" if apart else "")
        may = [rows[i] for i in ranked if i in speed.fastest and i not in best and not rows[i].cpu_share_differs]
        if may:
            yield f"{_with_ratios(may, words)} may be as fast; these times cannot tell"
    elif ranked and all(speed.against_baseline[index] == "slower" for index in ranked):
        closest = f"{_with_ratios([rows[ranked[0]]], words)} {words.baseline}'s speed"
        yield f"every method is shown to be slower than {words.baseline}; the closest: {closest}"
    else:
        candidates = [rows[index] for index in ranked if not rows[index].cpu_share_differs]
        if candidates:
            ratios = _with_ratios(candidates, words)
            yield f"no method is shown to be faster than {words.baseline}: {ratios} {words.baseline}'s speed"
    if apart:
        yield _not_ranked_line(apart, next((row for row in rows if row.is_baseline), None), words)


def speed_word(verdict: SettingVerdict, row: Row) -> str:
    """Return the verdict on a row's speed in a word or two: ``faster``, ``slower``, ``not known`` or ``not ranked``.

    A row is not ranked if other processes disturbed the row and the baseline too differently. The text is empty for the
    baseline and for rows without times.
    """
    outcome = verdict.speed_of(row)
    if outcome == "not_shown":
        return "not ranked" if row.cpu_share_differs else "not known"
    return outcome or ""


def speed_notes(verdicts: Sequence[SettingVerdict]) -> Iterator[str]:
    """Yield up to two notes, which explain the verdicts ``not known`` and ``not ranked`` on the speed of methods.

    The first note is yielded if a method's verdict is ``not known`` although the interval of its speed-up excludes 1.
    The second note is yielded if a method's verdict is ``not ranked``.

    Args:
        verdicts: The verdict on each setting, such as one link.
    """
    compared = [(one, row) for one in verdicts for row in one.rows if one.speed_of(row) is not None]
    chance = [one for one, row in compared if speed_word(one, row) == "not known" and _excludes_one(row)]
    if chance:
        number = max(len(one.speed.against_baseline) for one in chance)
        yield (
            f"with {number} methods compared, an interval may miss 1× by chance; the verdict allows for this, so "
            "it says “not known” beside some such intervals"
        )
    if any(speed_word(one, row) == "not ranked" for one, row in compared):
        shares = "other processes used different shares of the CPU than beside the baseline"
        yield f"not ranked: {shares}; run again on an idle machine"


def _excludes_one(row: Row) -> bool:
    ratio = row.metrics["speedup"]
    return ratio is not None and ratio.low is not None and ratio.high is not None and not ratio.low <= 1 <= ratio.high


def _fastest_line(best: Sequence[Row], words: Words, *, of: str) -> str:
    ratios = shortened([ratio_text(row.metrics["speedup"]) for row in best])
    names = words.names(best)
    start = f"{names} is the fastest{of}" if len(best) == 1 else f"{names} are the fastest{of} (not shown to differ)"
    dense = best[0].metrics["speedup_over_dense"]
    against = f", {ratio_text(dense)} the speed of the fastest method without compression" if dense is not None else ""
    return f"{start}: {ratios} {words.baseline}'s speed{against}"


def _with_ratios(rows: Sequence[Row], words: Words) -> str:
    return shortened([f"{words.name(row)} {ratio_text(row.metrics['speedup'])}" for row in rows])


def _not_ranked_line(rows: Sequence[Row], base: Row | None, words: Words) -> str:
    named = shortened([f"{words.name(row)} {row.pace.other_cpu_share or 0:.0%}" for row in rows])
    other = "" if base is None else f", with {words.baseline} {base.pace.other_cpu_share or 0:.0%}"
    return (
        f"not ranked, because other processes used different shares of the CPU: with {named}{other}; "
        f"run again on an idle machine"
    )
