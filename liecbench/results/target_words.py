"""Sentences on the time to a target accuracy or loss, for the verdict that a comparison prints."""

import math
from collections.abc import Iterator, Sequence

from liecbench.config.short_lists import shortened
from liecbench.results.ratio_interval import LogRatio
from liecbench.results.rows import Row
from liecbench.results.setting_verdict import SettingVerdict
from liecbench.results.statistics import holm
from liecbench.results.units import SECONDS
from liecbench.results.verdict_words import Words, ratio_text

LEAST_SEEDS = 3
LEVEL = 0.05


def target_lines(verdict: SettingVerdict, words: Words, target: str) -> Iterator[str]:
    """Yield a sentence with the methods' times to the target, and a sentence that compares the times.

    The first sentence lists the methods that reach the target, or says that no method does. The second sentence names
    the methods that are shown to reach the target sooner than the baseline, or says why no method is named. Only the
    first sentence is yielded if the setting has no baseline, or if no method but the baseline reaches the target.

    Args:
        verdict: The verdict on the setting.
        words: The names that the sentences use.
        target: The target as text, such as ``90%``.
    """
    reaching = [row for row in verdict.rows if row.metrics["seconds_to_target"] is not None]
    if not reaching:
        yield f"no method reaches {target} with every seed in two evaluations in a row"
        return
    reaching.sort(key=_seconds)
    yield f"to {target}: {shortened([f'{words.name(row)} {_cost(row)}' for row in reaching])}"
    base = next((row for row in verdict.rows if row.is_baseline), None)
    rivals = [row for row in reaching if not row.is_baseline]
    if base is None or base not in reaching or not rivals:
        if base is not None and rivals:
            missed = f"{words.baseline} does not reach {target} with every seed"
            yield f"{missed}, so methods are not ranked by the time to it"
        return
    yield _ranking(rivals, base, words, target)


def _ranking(rivals: Sequence[Row], base: Row, words: Words, target: str) -> str:
    ratios = [(row, _speed_to_target(row, base)) for row in rivals if not row.cpu_share_differs]
    known = [(row, ratio) for row, ratio in ratios if ratio is not None]
    if not known:
        if not ratios:
            return f"methods are not ranked by the time to {target}, because other processes disturbed the runs"
        return f"at least {LEAST_SEEDS} seeds are needed to rank methods by the time to {target}"
    p_values = holm([ratio.p_value for _, ratio in known])
    shown = [(r, ratio) for (r, ratio), p in zip(known, p_values, strict=True) if p <= LEVEL and ratio.mean > 0]
    if not shown:
        return f"no method is shown to reach {target} sooner than {words.baseline}"
    shown.sort(key=lambda pair: -pair[1].mean)
    named = shortened([f"{words.name(row)} {ratio_text(ratio.estimate())}" for row, ratio in shown])
    return f"shown to reach {target} sooner than {words.baseline}: {named} {words.baseline}'s speed"


def _speed_to_target(row: Row, base: Row) -> LogRatio | None:
    """Return ln(baseline's seconds to the target ÷ row's seconds to the target); None with under three common seeds.

    - If no timing session measured the row, return the mean of this logarithm over the common seeds.
    - If a timing session measured the row, return the sum of two terms: the mean over the common seeds of ln(baseline's
      epochs to the target ÷ row's epochs to the target), and the mean ln(baseline's seconds per epoch ÷ row's seconds
      per epoch). Return None if the second term is unknown.
    """
    name = "epochs_to_target" if row.pace.by_round else "seconds_to_target"
    pairs = [
        math.log(base.per_seed[seed][name] / row.per_seed[seed][name]) for seed in row.per_seed if seed in base.per_seed
    ]
    if len(pairs) < LEAST_SEEDS:
        return None
    epochs = LogRatio.of_pairs(pairs)
    if not row.pace.by_round:
        return epochs
    speed = row.pace.epoch_speed_over(base.pace)
    return None if speed is None else epochs.plus(speed)


def _seconds(row: Row) -> float:
    value = row.metrics["seconds_to_target"]
    return math.inf if value is None else value.mean


def _cost(row: Row) -> str:
    epochs = row.metrics["epochs_to_target"]
    return f"{SECONDS.text(row.metrics['seconds_to_target'])} s in {SECONDS.text(epochs)} epochs"
