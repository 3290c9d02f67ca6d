"""The verdicts on rows, settings and break-evens, as objects for JSON."""

from typing import Any

from liecbench.results.bottleneck import bottleneck
from liecbench.results.break_even import BreakEven
from liecbench.results.break_even_words import break_even_text, method_name
from liecbench.results.comparison import Comparison
from liecbench.results.provenance import provenance
from liecbench.results.recommendation_words import why
from liecbench.results.row_flags import row_flags
from liecbench.results.rows import Row
from liecbench.results.setting_verdict import SettingVerdict
from liecbench.results.summary import setting_text
from liecbench.results.whose_compute import step_compute, whose_compute


def row_verdict(comparison: Comparison, row: Row) -> dict[str, Any]:
    """Return the verdicts on one row as the fields of a JSON object, such as ``"speed_verdict": "faster"``.

    The fields are ``accuracy_verdict``, ``seeds_needed``, ``speed_verdict``, ``bottleneck`` and ``flags``. ``flags`` is
    a list of the names that ``row_flags`` returns, such as ``replayed``. The other fields may be None; for example, the
    baseline has no ``speed_verdict``.
    """
    verdict = comparison.verdict_of(row)
    accuracy = verdict.accuracy_of(row)
    return {
        "accuracy_verdict": None if accuracy is None else accuracy.outcome,
        "seeds_needed": None if accuracy is None else accuracy.seeds_needed,
        "speed_verdict": verdict.speed_of(row),
        "bottleneck": bottleneck(row),
        "flags": list(row_flags(row)),
    }


def setting_object(comparison: Comparison, verdict: SettingVerdict) -> dict[str, Any]:
    """Return the verdict on one setting as a JSON object.

    The keys are:

    - ``setting``: The setting's name; empty if there is only one setting.
    - ``fastest``: A list of the names of all timed methods that are not shown to be slower than another method.
    - ``recommended``: The name of the recommended method; None if no method is recommended.
    - ``why``: The reason why a method is recommended, or why no method is. None only if no method's speed could be
      compared with the baseline's.
    - ``text``: The whole verdict in sentences.
    """
    labels, found = comparison.labels, verdict.recommendation
    recommended = verdict.recommended
    return {
        "setting": verdict.setting,
        "fastest": [labels.method(verdict.rows[index]) for index in verdict.speed.fastest],
        "recommended": None if recommended is None else labels.method(recommended),
        "why": verdict.untrained if found is None else why(verdict, found, comparison.words),
        "text": setting_text(verdict, comparison.words),
    }


def break_even_objects(comparison: Comparison) -> list[dict[str, Any]]:
    """Return one JSON object per break-even.

    The keys of an object are:

    - ``method``: The method's name.
    - ``outcome``: A word for the link rates at which the method is faster. ``below``, for example, stands for the rates
      below the break-even. ``Bracket.outcome`` lists all words.
    - ``low_bits_per_second``: The highest rate that is shown to lie below the break-even; None if no rate is.
    - ``high_bits_per_second``: The lowest rate that is shown to lie above the break-even; None if no rate is.
    - ``added_bits_per_second``: A list of the measured rates that are not in a scenario. Runs chose these rates to find
      the break-even more precisely.
    - ``compute_seconds_per_step``: The compute seconds for which the break-even holds; None if they are not recorded.
    - ``compute_source``: ``measured`` or ``replayed``; None if the compute seconds are not recorded.
    - ``text``: The break-even as a sentence.
    """
    return [_break_even_object(comparison, found) for found in comparison.break_evens]


def _break_even_object(comparison: Comparison, found: BreakEven) -> dict[str, Any]:
    compute, words = step_compute(found.rows), whose_compute(found.rows, comparison.labels)
    sentence = break_even_text(found, comparison.words.baseline)
    return {
        "method": method_name(found, comparison.labels) + provenance(found.rows),
        "outcome": found.outcome,
        "low_bits_per_second": found.bracket.low,
        "high_bits_per_second": found.bracket.high,
        "added_bits_per_second": found.added_rates,
        "compute_seconds_per_step": None if compute is None else compute.seconds,
        "compute_source": None if compute is None else compute.source,
        "text": f"{sentence}, {words}" if words else sentence,
    }
