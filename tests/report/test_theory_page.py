import json
import re
from typing import Any

from liecbench.config.choice import Choice
from liecbench.report import theory_page
from liecbench.results.statistics import Estimate
from liecbench.theory.study import Study
from liecbench.theory.study_results import MethodResult, StudyResult

LIEC, SIGN = Choice.model_validate({"name": "liec", "average_period": 32}), Choice(name="sign")
TASK = {"name": "quadratic", "dimension": 64}


def result(measure: str, measured: dict[int, Estimate | None], **fields: Any) -> StudyResult:
    matrix = {"algorithm": [LIEC], "compressor": [SIGN], "workers": list(measured), "seed": [0, 1]}
    study = Study.model_validate({"measure": measure, "task": TASK, "steps": 1000, "matrix": matrix, **fields})
    several = len(measured) > 1
    method = MethodResult(
        algorithm=LIEC,
        compressor=SIGN,
        contraction=0.5,
        bound=0.05,
        measured=measured,
        speed_up_exponent=Estimate(mean=1.02, low=0.98, high=1.06) if several else None,
    )
    return StudyResult(study=study, smoothness=1.0, noise_variance=4.0, methods=[method])


STATIONARY = result(
    "stationary_gradient",
    {1: Estimate(mean=0.02, low=0.018, high=0.022), 4: Estimate(mean=0.005, low=0.00497, high=0.00503)},
    learning_rate={"of_bound": 2.0},
)
STABLE = result("largest_stable_rate", {4: Estimate.of([1.25])})
DIVERGED = result("stationary_gradient", {4: None}, learning_rate=0.3)


def test_the_table_of_stationary_gradients_has_workers_and_the_exponent() -> None:
    title, headings, row, *notes = theory_page.plain([STATIONARY]).splitlines()

    assert title == "stationary ‖∇f(x̄)‖²: quadratic (dimension 64), 1,000 steps"
    assert re.split(r" {2,}", headings) == [
        "method",
        "compressor",
        "δ",
        "learning rate",
        "1 worker",
        "4 workers",
        "exponent",
    ]
    assert re.split(r" {2,}", row) == [
        "liec average_period=32",
        "sign",
        "0.5",
        "0.1",
        "0.02 ± 0.002",
        "0.005 ± 0.00003",
        "1.02 ± 0.04",
    ]
    assert "  L = 1, σ² = 4; δ of stochastic gradients at the minimum" in notes
    assert "  learning rate: 2 · δ/(10 L)" in notes


def test_the_table_of_stable_rates_has_their_ratio_to_the_bound() -> None:
    lines = theory_page.markdown([STABLE]).splitlines()

    assert lines[2] == "| method | compressor | δ | δ/(10 L) | 4 workers | ÷ bound |"
    assert lines[4] == "| liec average_period=32 | sign | 0.5 | 0.05 | 1.25 | 25 |"


def test_a_run_that_diverged_is_said_to_have() -> None:
    assert "| 0.3 | diverged |" in theory_page.markdown([DIVERGED])


def test_json_has_a_row_for_each_method_and_number_of_workers() -> None:
    found = json.loads(theory_page.to_json("theory", [STATIONARY, STABLE, DIVERGED]))
    stationary, stable, diverged = found["studies"]

    assert found["name"] == "theory"
    assert (stationary["measure"], stationary["steps"], stationary["learning_rate"]) == (
        "stationary_gradient",
        1000,
        {"of_bound": 2.0},
    )
    assert stationary["rows"][0] == {
        "algorithm": "liec",
        "average_period": 32,
        "compressor": {"name": "sign"},
        "workers": 1,
        "contraction": 0.5,
        "bound": 0.05,
        "learning_rate": 0.1,
        "stationary_gradient": {"mean": 0.02, "low": 0.018, "high": 0.022},
        "speed_up_exponent": {"mean": 1.02, "low": 0.98, "high": 1.06},
    }
    assert [row["workers"] for row in stationary["rows"]] == [1, 4]
    assert stable["rows"][0]["largest_stable_rate"] == {"mean": 1.25, "low": None, "high": None}
    assert stable["rows"][0]["learning_rate"] is None
    assert diverged["rows"][0]["stationary_gradient"] is None
