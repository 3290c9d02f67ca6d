"""The methods that are faster than the advised method, with the reasons why they are not advised.

The advised method is the one that the answer for a setting says to use or try. It can be the baseline.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from liecbench.config.short_lists import shortened
from liecbench.results.accuracy_verdict import AccuracyVerdict
from liecbench.results.rows import Row
from liecbench.results.setting_verdict import SettingVerdict
from liecbench.results.units import RATIO
from liecbench.results.verdict_words import Words, mean_difference_text, places_text, worst_difference_text


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """A method that an answer passes over: it is faster than the method that the answer names.

    An answer names the method to use or try, or the baseline if no other method is advised.

    Attributes:
        place: The setting in words, such as ``On 20mbit``.
        method: The method's name.
        speed: The method's mean speed-up.
        reason: The reason against the method, such as ``shown to lose more than 0.5 points of accuracy``.
        difference: The method's accuracy minus the baseline's, such as ``-0.8 points``. For language models, the
            difference of test losses, such as ``+0.136 nats``. Empty if unknown. The worse end of the 95 % interval can
            follow, as in ``-0.8 points, at worst -1.1``.
    """

    place: str
    method: str
    speed: float
    reason: str
    difference: str


def passed_over(verdict: SettingVerdict, rows: Sequence[Row], words: Words, place: str) -> tuple[PassedOver, ...]:
    """Return for each row why the row's method is not advised, although the method is faster than the advised method.

    The advised method is the one that the answer for the setting says to use or try. It can be the baseline. The
    results are sorted by speed-up, largest first.

    Args:
        verdict: The verdict on the setting.
        rows: The setting's rows whose methods are faster than the advised method. Each row must have a speed-up.
        words: The names and tolerances that the reasons use.
        place: The setting in words, such as ``On 20mbit``.
    """
    found = []
    for row in sorted(rows, key=lambda one: -one.mean_log_speed):
        speed, judged = row.metrics["speedup"], verdict.accuracy_of(row)
        assert speed is not None, "a faster row has a speed-up"
        numbers = [] if judged is None else [mean_difference_text(judged)]
        if judged is not None and judged.is_open and judged.difference.low is not None:
            numbers.append(f"at worst {worst_difference_text(judged)}")
        difference = ", ".join(numbers)
        reason = _reason(verdict, row, judged, words)
        name = words.name(row)
        found.append(PassedOver(place=place, method=name, speed=speed.mean, reason=reason, difference=difference))
    return tuple(found)


def passed_over_lines(found: Sequence[PassedOver], num_settings: int) -> Iterator[str]:
    """Yield one line per reason in ``found``, with up to four methods that have this reason, and their speed-ups.

    An example is ``faster, but likely to lose more than 0.5 points of accuracy: liec (1.72×, -0.8 points)``.

    Args:
        found: Methods that are faster than the method that an answer names, in the settings of the comparison.
        num_settings: The number of settings of the comparison. If a reason holds for a method in only some settings,
            the line names these settings.
    """
    by_reason: dict[str, dict[str, list[PassedOver]]] = {}
    for one in found:
        by_reason.setdefault(one.reason, {}).setdefault(one.method, []).append(one)
    for reason, methods in by_reason.items():
        names = [_named(f"{name}{_places(every, num_settings)}", every) for name, every in methods.items()]
        yield f"faster, but {reason}: {shortened(names)}"


def _places(found: Sequence[PassedOver], num_settings: int) -> str:
    return "" if len(found) == num_settings else f" {places_text([one.place for one in found])}"


def _named(name: str, found: Sequence[PassedOver]) -> str:
    """Return ``name`` and the range of a method's speed-ups, such as ``liec (1.72× on 1gbit to 4.84× on 100mbit)``.

    If all entries of ``found`` have the same known ``difference``, such as ``-0.8 points``, the text also gives the
    difference: ``liec (1.72× on 1gbit to 4.84× on 100mbit, -0.8 points)``.

    Args:
        name: The method's name. Settings can follow, such as ``liec on 20mbit``.
        found: The method's entries with one common ``reason``, one entry per setting.
    """
    differences = list(dict.fromkeys(one.difference for one in found))
    facts = [
        speed_range([(one.speed, one.place) for one in found]),
        *(differences if len(differences) == 1 and differences[0] else []),
    ]
    return f"{name} ({', '.join(facts)})"


def speed_range(speeds: Sequence[tuple[float, str]]) -> str:
    """Return the range of a method's speed-ups as text, such as ``1.72× on 1gbit to 4.84× on 100mbit``.

    The text names the setting of each end, so that the range is not read as a confidence interval. If both ends are
    equal after rounding, return one number without a setting, such as ``1.72×``.

    Args:
        speeds: Each speed-up, and its setting in words, such as ``On 1gbit``.
    """
    ends = [(RATIO.format(speed), place) for speed, place in (min(speeds), max(speeds))]
    if ends[0][0] == ends[1][0]:
        return ends[0][0]
    return " to ".join(f"{text} {places_text([place])}" for text, place in ends)


def _reason(verdict: SettingVerdict, row: Row, found: AccuracyVerdict | None, words: Words) -> str:
    """Return why the method of ``row`` is not advised, such as ``not shown to be faster than ddp``.

    If there are several reasons, return the first in this order: the method is shown to lose accuracy, its speed is in
    doubt, its accuracy is in doubt. For language models, the test loss counts instead of the accuracy.

    ``found`` is the verdict on the row's accuracy or test loss; None if there is no verdict.
    """
    quality = words.quality(row)
    if found is not None and found.outcome == "lost":
        return f"shown to {words.to_lose(found)}"
    dense = next((one for one in verdict.rows if one.is_dense), None)
    if row.cpu_share_differs:
        return "not ranked, because other processes disturbed the runs"
    if dense is not None and row.pace.disturbed_differently(dense.pace):
        return f"not compared with {words.name(dense)}, because other processes disturbed the runs"
    if verdict.speed_of(row) != "faster":
        return f"not shown to be faster than {words.baseline}"
    if verdict.dense_speed_of(row) not in ("faster", None):
        return "not shown to beat the fastest method without compression"
    if found is None:
        return f"not compared in {quality}"
    if found.is_open:
        return f"not known yet to keep the {quality} within {words.tolerance(found)}"
    return f"likely to {words.to_lose(found)}"
