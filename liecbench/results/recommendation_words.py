"""The sentence that recommends a method for a setting.

If no method is recommended, the sentence says why. If more runs may help, the sentence also says which.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from liecbench.config.short_lists import listed
from liecbench.config.timing_choice import FINEST_PRECISION
from liecbench.results.recommendation import MAX_USEFUL_SEEDS, Recommendation, fewest_seeds
from liecbench.results.row_flags import EARLIER_TIMING, row_flags
from liecbench.results.rows import Row
from liecbench.results.setting_verdict import SettingVerdict
from liecbench.results.verdict_words import Words

# What sessions aim at unless the scenario says otherwise. Early versions did not record it.
_FIRST_PRECISION: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreSeeds:
    """An estimate of the number of seeds after which at least one undecided method is decided.

    A method is undecided if the past seeds do not show whether the method keeps the baseline's accuracy. For language
    models, the test loss is compared instead.

    Attributes:
        methods: The names of the undecided methods.
        quality: ``accuracy`` or ``test loss``.
        seeds: The estimated number of seeds, past seeds included, after which at least one undecided method is decided.
            If estimates for several settings are merged, this holds in each of the settings.
        ran: The number of past seeds that ``seeds`` includes.
    """

    methods: tuple[str, ...]
    quality: str
    seeds: int
    ran: int

    def text(self, words: Words) -> str:
        """Return the sentence on how many seeds are needed to know, for at least one method, whether quality is kept.

        If at most 100 seeds are needed, the sentence ends with the command to run them. Otherwise the sentence advises
        to train longer.
        """
        names = listed(self.methods)
        any_of = names if len(self.methods) == 1 else f"any of {names}"
        if self.seeds > MAX_USEFUL_SEEDS:
            why_many = "it varies too much or lies too near the tolerance; train longer"
            return f"over 100 seeds would be needed to know whether {any_of} keeps the {self.quality}: {why_many}"
        more = f"about {self.seeds - self.ran} more seeds ({self.seeds} in all) are needed"
        question = f"whether {any_of} keeps the {self.quality}"
        command = words.command(f"--seeds {self.seeds}")
        if self.ran == 1:
            return f"one seed cannot show {question}; {more}: {command}"
        return f"{more} to know {question}: {command}"


def recommendation_line(verdict: SettingVerdict, words: Words) -> str | None:
    """Return the sentence that recommends a method for a setting, such as ``recommended: ddp``.

    If no method is recommended, the sentence says why. Return None if the baseline learned nothing, or if no method's
    speed can be compared with the baseline's.
    """
    found = verdict.recommendation
    if found is None:
        return None
    if found.row is not None:
        name = words.name(verdict.rows[found.row])
        if found.reason == "baseline":
            return f"recommended: {name}"
        others = [verdict.rows[index] for index in found.others]
        equal = f"; {words.names(others)} would do as well" if others else ""
        kept = words.quality(verdict.rows[found.row])
        return f"recommended: {name}, shown to be faster and to keep the {kept}{equal}"
    return f"no recommendation: {why(verdict, found, words)}"


def why(verdict: SettingVerdict, found: Recommendation, words: Words) -> str:
    """Return a text for the user with the reason why a method is recommended for a setting, or why none is.

    If more or better runs may lead to a recommendation, the text also says what to run.

    Args:
        verdict: The verdict on the setting.
        found: The recommendation of ``verdict``.
        words: Gives the names of methods and of the measure of quality (``accuracy`` or ``test loss``).
    """
    names = words.names([verdict.rows[index] for index in found.waiting])
    quality = words.quality(verdict.rows[0])
    match found.reason:
        case "best":
            return f"shown to be faster and to keep the {quality}"
        case "baseline":
            return "every other method is shown to be slower"
        case "seeds" | "spread":
            return more_seeds(verdict, [verdict.rows[index] for index in found.waiting], words).text(words)
        case "lost":
            return f"every faster method ({names}) {words.loses(verdict.rows[0])}"
        case "dense":
            verb = "is" if len(found.waiting) == 1 else "are"
            return f"{names} {verb} not shown to be faster than the fastest method without compression"
        case "not_trained":
            return f"the accuracy of {names} was not measured; train with a scenario that has a dataset and a model"
        case "disturbed":
            return f"{names} cannot be ranked, because other processes disturbed the runs; run again on an idle machine"
        case "rounds":
            return f"no method is shown to be faster; {more_times(verdict, words)}"


def more_seeds(verdict: SettingVerdict, rows: Sequence[Row], words: Words) -> MoreSeeds:
    """Estimate the number of seeds after which at least one undecided method is decided.

    A method is undecided if the past seeds do not show whether the method keeps the baseline's accuracy.

    Args:
        verdict: The verdict on the setting that contains ``rows``.
        rows: The rows of the undecided methods, at least one. For each row, ``verdict.accuracy_of(row)`` must be
            None or have the outcome ``not_shown``.
        words: Names the methods, and what is compared: ``accuracy`` or ``test loss``.
    """
    seeds, ran = fewest_seeds([verdict.accuracy_of(row) for row in rows])
    return MoreSeeds(
        methods=tuple(words.name(row) for row in rows), quality=words.quality(rows[0]), seeds=seeds, ran=ran
    )


def more_times(verdict: SettingVerdict, words: Words) -> str:
    """Return the advice to run more timing rounds or more seeds of a setting, with the command that does so.

    The advice is to run more rounds if timing sessions timed the setting, and more seeds otherwise.

    Args:
        verdict: The verdict on the setting.
        words: Makes the command.
    """
    row = verdict.rows[0]
    if row.pace.setting is not None:
        return more_rounds(verdict.rows, words)
    seeds = max(len(row.per_seed) for row in verdict.rows)
    more = max(5, 2 * seeds)
    advice = f"run {more} seeds in all ({_were_run(seeds)}) with {words.command(f'--seeds {more}')}"
    return f"{advice}, or use timing: interleaved" if EARLIER_TIMING in row_flags(row) else advice


def more_rounds(rows: Sequence[Row], words: Words) -> str:
    """Return the advice to add rounds to the timing sessions of ``rows``, with the command that does it.

    The command asks for half of the finest precision that the sessions aimed at, or for the finest that is allowed. If
    they aimed at that one already, the advice says so.
    """
    aimed_at = [cell.environment.timing_precision for row in rows for cell in row.cells]
    finest = min((precision for precision in aimed_at if precision is not None), default=_FIRST_PRECISION)
    if finest <= FINEST_PRECISION:
        return f"timing_precision has the smallest allowed value, {finest:g}"
    return f"time more rounds with {words.command(f'--set timing_precision={max(finest / 2, FINEST_PRECISION):g}')}"


def _were_run(seeds: int) -> str:
    return f"{seeds} {'was' if seeds == 1 else 'were'} run"
