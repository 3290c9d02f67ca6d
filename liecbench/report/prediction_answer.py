"""The first lines of the output of ``liecbench predict``: the fastest methods, and what is not predicted."""

import shlex
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from liecbench.prediction.predicted_rows import PredictedRow
from liecbench.prediction.prediction_request import Request
from liecbench.prediction.predictions import Predictions
from liecbench.report.prediction_texts import baseline_name, method_name, ratio_text, unit
from liecbench.results.statistics import Estimate

# A method that is faster by a smaller factor is no reason to change anything: errors of the model can be as large.
_LEAST_SPEEDUP: Final = 1.05
_ACCURACY: Final = (
    "Accuracy is not predicted: with a faster method, training may need more steps, or end at a lower accuracy; "
    "`liecbench run` measures it."
)


def answer_lines(found: Predictions) -> Iterator[str]:
    """Yield lines that name the fastest methods of each setting, then lines on the limits of the prediction.

    Settings with the same fastest methods share a line. A setting with only one row has no line. The limits are:

    - The times of some of the fastest methods leave out the method's own work. The line is absent if none do.
    - Accuracy is not predicted.
    - The times hold for one backend, Gloo or NCCL.
    """
    settings: dict[tuple[int, str], list[PredictedRow]] = {}
    for row in found.rows:
        settings.setdefault((row.workers, str(row.link)), []).append(row)
    groups: dict[tuple[str | None, ...], list[PredictedRow]] = {}
    for rows in settings.values():
        if len(rows) > 1:
            groups.setdefault(_fastest_names(found, rows), []).append(rows[0])
    for names, firsts in groups.items():
        yield f"{_settings(firsts)}: {_fastest_text(found, names, firsts)}."
    yield from _own_work(found, {name for names in groups for name in names})
    yield _ACCURACY
    yield _backend(found.request)


def _own_work(found: Predictions, fastest: Collection[str | None]) -> Iterator[str]:
    """Yield a sentence on the methods among ``fastest``, given by their names, whose own work the profile lacks."""
    lacking = dict.fromkeys(method_name(found, row.method) for row in found.rows if "without_method_times" in row.flags)
    named = [name for name in lacking if name in fastest]
    if named:
        whose = "the method's" if len(named) == 1 else "the methods'"
        yield (
            f"The times of {', '.join(named)} leave out {whose} own work, such as sums with memories or PowerSGD's "
            "products; `liecbench profile SCENARIO` measures it."
        )


def _backend(request: Request) -> str:
    """Return sentences that name the backend of all times, and the options that give times over the other backend."""
    if request.costs.backend == "nccl":
        return (
            "All times are those over NCCL, because the profile is one of a GPU; no prediction over NCCL has been "
            "compared with a measurement. For Gloo, give --transport FILE."
        )
    # A scenario's model has other parameters than that of most shipped profiles, which would then be refused.
    shipped = "--profile h100-resnet18 or " if request.scenario is None else ""
    scenario = "SCENARIO" if request.scenario is None else shlex.quote(str(request.scenario))
    return (
        f"All times are those over Gloo. For NCCL, give the profile of a GPU, such as {shipped}one of "
        f"`liecbench profile {scenario} --device cuda`, without --transport."
    )


def _fastest_names(found: Predictions, rows: Sequence[PredictedRow]) -> tuple[str | None, ...]:
    """Return the names of the methods that are the fastest for one number of workers and one set of links.

    The tuple is empty if no method is predicted to be at least ``_LEAST_SPEEDUP`` times as fast as the baseline.
    Otherwise it has the first row's method, and all methods whose intervals overlap with the interval of the first
    row's method. The intervals are those of the speed-ups.

    None stands for the baseline. Example: if the baseline is ``ddp`` on 2 workers, ``ddp`` on 4 workers is listed by
    its name, because it is not the baseline.

    Args:
        found: The predictions.
        rows: One row per method, fastest first, for this number of workers and these links.
    """
    first, *others = rows
    if first.speedup.mean < _LEAST_SPEEDUP:
        return ()
    request = found.request
    fastest = [first, *(row for row in others if _overlap(row, first))]
    return tuple(
        None
        if row.method is request.baseline
        and request.baseline_setting.of(row.workers, row.link) == (row.workers, row.link)
        else method_name(found, row.method)
        for row in fastest
    )


def _overlap(row: PredictedRow, first: PredictedRow) -> bool:
    return _high(row.speedup) >= _low(first.speedup)


def _fastest_text(found: Predictions, names: Sequence[str | None], firsts: Sequence[PredictedRow]) -> str:
    baseline = baseline_name(found)
    known = [name for name in names if name is not None]
    if not names:
        return f"no method is predicted to be over {_LEAST_SPEEDUP - 1:.0%} faster per {unit(found)} than {baseline}"
    if len(known) < len(names):
        others = ", ".join(known)
        return f"not known whether any method is faster than {baseline}: the intervals of {others} overlap with its own"
    fastest = f"{known[0]} is predicted to be the fastest per {unit(found)}{_ratio(firsts, baseline)}"
    return f"{fastest}; the intervals of {', '.join(known[1:])} overlap with its own" if known[1:] else fastest


def _ratio(firsts: Sequence[PredictedRow], baseline: str) -> str:
    ratios = [row.speedup for row in firsts]
    low, high = (f"{bound(ratio.mean for ratio in ratios):.3g}×" for bound in (min, max))
    text = ratio_text(ratios[0]) if len(ratios) == 1 else low if low == high else f"{low} to {high}"
    return f", {text} as fast as {baseline}"


def _settings(firsts: Sequence[PredictedRow]) -> str:
    links: dict[int, list[str]] = {}
    for row in firsts:
        links.setdefault(row.workers, []).append(str(row.link))
    return "; ".join(f"{workers} workers on {', '.join(names)}" for workers, names in links.items())


def _low(value: Estimate) -> float:
    return value.mean if value.low is None else value.low


def _high(value: Estimate) -> float:
    return value.mean if value.high is None else value.high
