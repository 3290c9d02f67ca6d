"""The verdict of a comparison in words: one paragraph per setting, break-even rates, and rows that did not complete."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from liecbench.config.short_lists import shortened
from liecbench.results.accuracy_words import accuracy_lines
from liecbench.results.bottleneck import bottleneck_text
from liecbench.results.break_even import BreakEven
from liecbench.results.break_even_words import break_even_lines
from liecbench.results.provenance import provenance
from liecbench.results.recommendation_words import recommendation_line
from liecbench.results.row_flags import CPU_BOUND, DISTURBED, EARLIER_TIMING, row_flags
from liecbench.results.row_labels import Labels
from liecbench.results.rows import Row
from liecbench.results.setting_verdict import SettingVerdict
from liecbench.results.speed_words import speed_lines
from liecbench.results.target_words import target_lines
from liecbench.results.task_differences import difference_lines
from liecbench.results.units import BYTES
from liecbench.results.verdict_words import Words

_MAX_ROWS_NAMED: Final = 6
_FLAG_SENTENCES: Final = {
    CPU_BOUND: "their ranks share processors (ranks, threads and links need more than there are), so their times say "
    "little about machines with a CPU per rank",
    DISTURBED: "other processes used over 15 % of the CPU: time them again on an idle machine",
    EARLIER_TIMING: "an earlier version timed them one after the other, so that drift of the machine may look like a "
    "difference",
}


def verdict_lines(verdicts: Sequence[SettingVerdict], found: Sequence[BreakEven], words: Words) -> list[str]:
    """Return the verdict of a comparison as lines of text for the user.

    The lines are about, in this order: each setting, settings without a baseline, how the times were taken, break-even
    rates, and rows that did not complete.

    Args:
        verdicts: The verdicts on the settings.
        found: The break-evens of methods.
        words: The names, tolerances and targets that the lines use.
    """
    lines = []
    for verdict in verdicts:
        prefix = _prefix(verdict)
        lines += [f"{prefix}{line}" for line in _lines(verdict, words)]
    every_row = [row for verdict in verdicts for row in verdict.rows]
    lines += _without_baseline(verdicts, words)
    lines += _about_times(every_row)
    return [*lines, *break_even_lines(found, words.labels, words.baseline), *_incomplete(every_row, words.labels)]


def lines_beside_answers(verdicts: Sequence[SettingVerdict], found: Sequence[BreakEven], words: Words) -> list[str]:
    """Return the lines to show after the answers. An answer says for one setting whether compression pays.

    The lines say, in this order: which rows were trained otherwise than the baseline, how the times were taken, the
    break-even rates, which rows did not complete, and why times may mislead, for example because other processes used
    the CPU. A line that holds in several settings appears once.

    Args:
        verdicts: The verdicts on the settings.
        found: The break-evens of methods.
        words: The names that the lines use.
    """
    rows = [row for verdict in verdicts for row in verdict.rows]
    flags = [
        f"{'all rows' if is_all else shortened(list(dict.fromkeys(map(words.name, flagged))))}: {sentence}"
        for sentence, flagged, is_all in _flagged(rows)
    ]
    break_even = _merged(break_even_lines(found, words.labels, words.baseline))
    differences = difference_lines(rows, words)
    return [*differences, *_about_times(rows), *break_even, *_incomplete(rows, words.labels), *flags]


def _merged(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines, such as ``a: text``. Lines with equal texts are merged into one, such as ``a and b: text``."""
    names: dict[str, list[str]] = {}
    for line in lines:
        name, colon, text = line.partition(": ")
        names.setdefault(colon + text, []).append(name)
    for text, found in names.items():
        yield f"{shortened(found)}{text}"


def _without_baseline(verdicts: Sequence[SettingVerdict], words: Words) -> Iterator[str]:
    """Yield a sentence for each setting in which methods completed, but the baseline is missing.

    If the baseline is missing in all settings, yield nothing.
    """
    lacking = [one for one in verdicts if not any(row.is_baseline or row.baseline_per_seed for row in one.rows)]
    for verdict in lacking if len(lacking) < len(verdicts) else ():
        if any(row.num_completed for row in verdict.rows):
            missing = f"{words.baseline} is missing in this setting; run it there, too"
            yield f"{_prefix(verdict)}nothing to compare with: {missing}"


def setting_text(verdict: SettingVerdict, words: Words) -> str:
    """Return the sentences of the verdict on one setting as one text, without the setting's name.

    ``words`` has the names, tolerances and targets that the sentences use.
    """
    return ". ".join(_lines(verdict, words))


def _prefix(verdict: SettingVerdict) -> str:
    suffix = provenance(verdict.rows)
    text = f"{verdict.setting}{suffix}" if verdict.setting else suffix.strip(" ()")
    return f"{text}: " if text else ""


def _lines(verdict: SettingVerdict, words: Words) -> Iterator[str]:
    rivals = [row for row in verdict.rows if not row.is_baseline]
    if verdict.untrained:
        yield f"{words.baseline} learned nothing: {verdict.untrained}; nothing is compared with it"
        return
    if not verdict.speed.against_baseline:
        if any(row.num_completed for row in rivals):
            yield from nothing_compared(verdict, rivals, words)
        return
    yield from speed_lines(verdict, words)
    yield from accuracy_lines(verdict, words)
    if recommended := recommendation_line(verdict, words):
        yield recommended
    fastest = _named_fastest(verdict)
    if fastest is not None and (waits := bottleneck_text(fastest, words.name(fastest))):
        yield waits
    if target := words.target(verdict.rows[0]):
        yield from target_lines(verdict, words, target)
    yield from difference_lines(verdict.rows, words)
    yield from _memory(verdict, words)
    yield from _flags(verdict.rows, words)


def nothing_compared(verdict: SettingVerdict, rivals: Sequence[Row], words: Words) -> Iterator[str]:
    """Yield a sentence that says why no row of a setting was compared with the baseline.

    An example for the baseline ``ddp`` is ``nothing to compare with: ddp diverged; lower its learning_rate``. Yield
    nothing if there is no baseline at all: ``verdict`` has no row of the baseline, and ``baseline_per_seed`` is empty
    in all ``rivals``.

    Args:
        verdict: The verdict on the setting, in which no row was compared with the baseline.
        rivals: Rows of the setting other than the baseline's row.
        words: The words for the sentence. Only the baseline's name is used.
    """
    base = next((row for row in verdict.rows if row.is_baseline), None)
    if base is None:
        if any(row.baseline_per_seed for row in rivals):
            yield f"nothing to compare with: {words.baseline} shares no seed with the others; run the same seeds"
    elif not base.num_completed:
        # A run tries failed cells again, but leaves diverged ones as they are.
        has_diverged = all(cell.status == "diverged" for cell in base.cells)
        advice = (
            "diverged; lower its learning_rate" if has_diverged else f"did not complete ({base.state}); run it again"
        )
        yield f"nothing to compare with: {words.baseline} {advice}"
    elif not base.pace.by_seed:
        trained_only = base.fields["timing"] == "trajectory"
        why = "its steps were not timed yet; run it again" if trained_only else "all of its steps are warm-up"
        yield f"nothing to compare with: {words.baseline} has no times, because {why}"
    else:
        yield f"nothing to compare with: {words.baseline} shares no timed seed with the others; run the same seeds"


def _named_fastest(verdict: SettingVerdict) -> Row | None:
    """Return the row with the highest mean speed-up among the rows that are shown to be faster than the baseline.

    If no row is shown to be faster, return the row with the highest mean speed-up among all rows that were compared
    with the baseline. Return None if no row was compared.
    """
    compared = verdict.speed.against_baseline
    shown = [index for index, outcome in compared.items() if outcome == "faster"] or list(compared)
    return max((verdict.rows[index] for index in shown), key=lambda row: row.mean_log_speed, default=None)


def _memory(verdict: SettingVerdict, words: Words) -> Iterator[str]:
    """Yield a sentence on the bytes of residuals and the like that each method keeps per rank, unless all are equal."""
    sizes = [(row, value.mean) for row in verdict.rows if (value := row.metrics["memory_bytes"]) is not None]
    if len({size for _, size in sizes}) > 1:
        texts = [f"{words.name(row)} {BYTES.format(size) if size else 'none'}" for row, size in sizes[:_MAX_ROWS_NAMED]]
        yield f"memory that each method keeps per rank: {', '.join(texts)}"


def _flags(rows: Sequence[Row], words: Words) -> Iterator[str]:
    for sentence, flagged, is_all in _flagged(rows):
        yield f"{'all rows' if is_all else words.names(flagged)}: {sentence}"


def _flagged(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row], bool]]:
    """Yield (sentence, rows with the flag, is_all) for each flag of ``_FLAG_SENTENCES`` that at least one row has.

    Rows without a completed cell are ignored. ``is_all`` is True if all remaining rows have the flag.
    """
    flags = [(row, row_flags(row)) for row in rows if row.num_completed]
    for flag, sentence in _FLAG_SENTENCES.items():
        flagged = [row for row, found in flags if flag in found]
        if flagged:
            yield sentence, flagged, len(flagged) == len(flags)


def _about_times(rows: Sequence[Row]) -> Iterator[str]:
    if any(not row.is_trained and row.num_completed for row in rows):
        yield "not trained: accuracy not measured; an epoch stands for one step"
    replayed = [row for row in rows if row.is_replayed and row.num_completed]
    if replayed:
        owners = dict.fromkeys("the profile's device" if row.fields["profile"] else "this machine" for row in replayed)
        yield f"times replayed from a profile: each rank computes as if it had {' or '.join(owners)} alone"


def _incomplete(rows: Sequence[Row], labels: Labels) -> list[str]:
    incomplete = [f"{labels.whole(row)} ({row.state})" for row in rows if row.state]
    more = f" and {len(incomplete) - _MAX_ROWS_NAMED} more" if len(incomplete) > _MAX_ROWS_NAMED else ""
    return [f"not complete: {', '.join(incomplete[:_MAX_ROWS_NAMED])}{more}"] if incomplete else []
