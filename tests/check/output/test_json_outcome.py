import json
import math
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings

from liecbench.check.output.json_outcome import to_json, verdict_name
from liecbench.check.verdict import Outcome, Verdict
from liecbench.errors import ExitCode
from tests.check.outcomes import ANY_OUTCOME, EMPTY, FAILED, OUTCOMES, PAIRS, paired, result


def no_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no JSON")


def read(outcome: Outcome) -> Any:
    return json.loads(to_json(outcome), parse_constant=no_constant)


@pytest.mark.parametrize(("name", "outcome", "code"), [(name, *each) for name, each in OUTCOMES.items()])
def test_the_verdict_has_a_name_and_a_number(name: str, outcome: Outcome, code: ExitCode) -> None:
    actual = read(outcome)

    assert ("liecbench-check", 1, name, int(code)) == tuple(
        actual[key] for key in ("type", "schema", "verdict", "exit_code")
    )


def test_every_exit_code_of_an_outcome_has_a_name() -> None:
    assert [*OUTCOMES, "nothing compared"] == [
        verdict_name(each) for each in (*(o for o, _ in OUTCOMES.values()), EMPTY)
    ]


def test_a_result_keeps_every_field() -> None:
    actual = read(Outcome(results=(paired(Verdict.INCONCLUSIVE, noisy=True),)))["findings"]
    pairs = actual[0].pop("pairs")

    assert actual == [
        {
            "cell": "liec(sign) · 2 workers · 20mbit · seed 0",
            "metric": "step_seconds",
            "verdict": "inconclusive",
            "reason": "why it is inconclusive",
            "unit": "relative",
            "baseline": 0.0251,
            "current": 0.0254,
            "change": 0.012,
            "low": -0.003,
            "high": 0.028,
            "evidence": {"slower": 0.02, "within": 31.0},
            "smallest_detectable": 0.045,
            "noisy": True,
            "decided_after": None,
            "never_compared": False,
        }
    ]
    assert pairs[0].pop("log_ratio") == pytest.approx(0.693147180559945)
    assert pairs[0] == {
        "relaunch": 0,
        "order": "AB",
        "a_seconds": 0.5,
        "b_seconds": 1.0,
        "noise": {"steal": 0.0, "wall_over_cpu": 1.01},
    }


def test_log_ratios_are_those_of_the_seconds_beside_them() -> None:
    pairs = read(Outcome(results=(paired(),)))["findings"][0]["pairs"]

    assert [math.exp(pair["log_ratio"]) for pair in pairs] == pytest.approx([2.0, 1.0, 0.125])
    assert [each.b_seconds / each.a_seconds for each in PAIRS] == [p["b_seconds"] / p["a_seconds"] for p in pairs]


def test_the_json_has_everything_else() -> None:
    actual = read(FAILED)

    assert {key: actual[key] for key in ("settings", "shown", "failed_cells", "notes")} == {
        "settings": {"tolerance": 0.02, "seed": 7, "threshold": None, "compared": ["a.yaml", "b.yaml"]},
        "shown": [
            {
                "cell": "liec(sign) · 2 workers · 20mbit · seed 0",
                "metric": "train_seconds",
                "baseline": 2.0,
                "current": 3.0,
            }
        ],
        "failed_cells": ["psgd · 4 workers: rank 1 was lost\n  and\x1bmore"],
        "notes": ["fewer than 5 seeds"],
    }


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_infinite_and_undefined_values_are_null(value: float) -> None:
    outcome = Outcome(results=(result(current=value, smallest_detectable=value),), settings={"a": [{"b": value}]})
    actual = read(outcome)

    assert (
        actual["findings"][0]["current"],
        actual["findings"][0]["smallest_detectable"],
        actual["settings"]["a"],
    ) == (None, None, [{"b": None}])


@settings(max_examples=50, deadline=None)
@given(outcome=ANY_OUTCOME)
def test_texts_survive_a_round_trip(outcome: Outcome) -> None:
    actual = json.loads(to_json(outcome).encode(), parse_constant=no_constant)

    assert (
        [(each.cell, each.metric, each.reason) for each in outcome.results],
        [f"{failed.cell}: {failed.reason}" for failed in outcome.failed_cells],
        list(outcome.notes),
    ) == (
        [(each["cell"], each["metric"], each["reason"]) for each in actual["findings"]],
        actual["failed_cells"],
        actual["notes"],
    )


def test_the_page_on_the_gate_names_every_field() -> None:
    page = (Path(__file__).parents[3] / "docs" / "gate.md").read_text(encoding="utf-8")
    content = json.loads(to_json(FAILED))
    finding = content["findings"][0]
    fields = {*content, *content["shown"][0], *finding, *finding["evidence"], *finding["pairs"][0]}

    assert {field for field in fields if f"`{field}`" not in page} == set()
