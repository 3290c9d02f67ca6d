"""The output of ``liecbench theory`` as plain text, Markdown or JSON."""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from liecbench.config.choice import Choice
from liecbench.results.statistics import Estimate
from liecbench.theory.study import OfBound
from liecbench.theory.study_results import MethodResult, StudyResult, learning_rate_of

_TITLES: Final = {
    "stationary_gradient": "stationary ‖∇f(x̄)‖²",
    "largest_stable_rate": "largest stable learning rate",
}


def plain(results: Sequence[StudyResult]) -> str:
    """Return the tables of all studies as plain text with aligned columns."""
    return "\n".join(_plain_study(result) for result in results)


def markdown(results: Sequence[StudyResult]) -> str:
    """Return the tables of all studies as Markdown."""
    return "\n".join(_markdown_study(result) for result in results)


def to_json(name: str, results: Sequence[StudyResult]) -> str:
    """Return a JSON object with the keys ``name`` and ``studies``: one object per study, with its settings and rows."""
    content = {"name": name, "studies": [_study_object(result) for result in results]}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain_study(result: StudyResult) -> str:
    lines = [_headings(result), *(_texts(result, method) for method in result.methods)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines)
    return "\n".join([_title(result), *rows, *(f"  {line}" for line in _notes(result)), ""])


def _markdown_study(result: StudyResult) -> str:
    headings = _headings(result)
    lines = [headings, ["---"] * len(headings), *(_texts(result, method) for method in result.methods)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n".join([f"**{_title(result)}**", "", table, "", *(f"- {line}" for line in _notes(result)), ""])


def _title(result: StudyResult) -> str:
    study = result.study
    options = ", ".join(f"{key} {value}" for key, value in study.task.options.items())
    task = f"{study.task.name} ({options})" if options else study.task.name
    return f"{_TITLES[study.measure]}: {task}, {study.steps:,} steps"


def _headings(result: StudyResult) -> list[str]:
    counts = [f"{workers} workers" if workers > 1 else "1 worker" for workers in result.study.matrix.workers]
    if result.study.measure == "largest_stable_rate":
        return ["method", "compressor", "δ", "δ/(10 L)", *(text for count in counts for text in (count, "÷ bound"))]
    return ["method", "compressor", "δ", "learning rate", *counts, *(["exponent"] if len(counts) > 1 else [])]


def _texts(result: StudyResult, method: MethodResult) -> list[str]:
    is_search = result.study.measure == "largest_stable_rate"
    rate = method.bound if is_search else learning_rate_of(result.study, method.bound)
    texts = [_choice(method.algorithm), _choice(method.compressor), _number(method.contraction), _number(rate)]
    for estimate in method.measured.values():
        texts.append(_estimate(estimate))
        if is_search:
            ratio = estimate.mean / method.bound if estimate is not None and method.bound else None
            texts.append(_number(ratio))
    if not is_search and len(method.measured) > 1:
        texts.append(_estimate(method.speed_up_exponent))
    return texts


def _notes(result: StudyResult) -> Iterator[str]:
    study, seeds = result.study, len(result.study.matrix.seed)
    yield f"L = {result.smoothness:.3g}, σ² = {result.noise_variance:.3g}; δ of stochastic gradients at the minimum"
    if seeds > 1:
        yield f"mean and half the width of its 95 % interval over {seeds} seeds"
    if isinstance(study.learning_rate, OfBound):
        yield f"learning rate: {study.learning_rate.of_bound:g} · δ/(10 L)"
    if study.measure == "stationary_gradient" and len(study.matrix.workers) > 1:
        yield "exponent a of ‖∇f(x̄)‖² ∝ workers^(−a): 1 is linear speed-up, 0 is none"
    if study.measure == "largest_stable_rate":
        yield "to 5 %; stable: ‖∇f(x̄)‖² is at most 1000 σ² after every fifth step; none above 8/L is tried"


def _choice(choice: Choice | None) -> str:
    if choice is None:
        return "–"
    options = " ".join(f"{key}={value}" for key, value in choice.options.items())
    return f"{choice.name} {options}".rstrip()


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _estimate(estimate: Estimate | None) -> str:
    if estimate is None:
        return "diverged"
    half = estimate.half_width
    if half is None:
        return f"{estimate.mean:.3g}"
    return f"{estimate.mean:.3g} ± {Decimal(f'{half:.1g}'):f}"  # without an exponent, like the mean beside it


def _study_object(result: StudyResult) -> dict[str, Any]:
    study = result.study
    return {
        "measure": study.measure,
        "task": study.task.model_dump(),
        "steps": study.steps,
        "learning_rate": None if study.learning_rate is None else study.model_dump()["learning_rate"],
        "seeds": study.matrix.seed,
        "smoothness": result.smoothness,
        "noise_variance": result.noise_variance,
        "rows": [row for method in result.methods for row in _row_objects(result, method)],
    }


def _row_objects(result: StudyResult, method: MethodResult) -> Iterator[dict[str, Any]]:
    for workers, estimate in method.measured.items():
        yield {
            "algorithm": method.algorithm.name,
            **method.algorithm.options,
            "compressor": None if method.compressor is None else method.compressor.model_dump(),
            "workers": workers,
            "contraction": method.contraction,
            "bound": method.bound,
            "learning_rate": learning_rate_of(result.study, method.bound),
            result.study.measure: _bounds(estimate),
            "speed_up_exponent": _bounds(method.speed_up_exponent),
        }


def _bounds(estimate: Estimate | None) -> dict[str, float | None] | None:
    return None if estimate is None else {"mean": estimate.mean, "low": estimate.low, "high": estimate.high}
