"""Errors of predictions for ledgers whose times are known multiples of the predictions."""

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from liecbench.config.cell import Cell
from liecbench.errors import LiecbenchError, NothingToCompareError
from liecbench.prediction.cost_fit import fit_costs
from liecbench.prediction.measured_steps import measured_steps
from liecbench.prediction.step_predictor import StepPredictor
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.prediction.validation import joined, validate
from liecbench.profiles.profile_file import write_profile
from liecbench.report import validation_table
from liecbench.results.records import Epoch, Record
from tests.cli.in_process import run_in_process
from tests.ledgers import comparison_of, run_of, spec, write_ledger
from tests.prediction.made_profiles import made_profile, small_mlp_profile

COSTS = TransportCosts(step_seconds=1e-3)
METHODS: dict[str, dict[str, Any]] = {"ddp": {}, "psgd": {"server": "sharded"}, "local_sgd": {"server": "sharded"}}


def cell(algorithm: str, **changes: Any) -> Cell:
    return Cell.from_spec(spec(algorithm, **{**METHODS[algorithm], **changes}))


def runs(algorithm: str, seconds: float, seeds: int = 1, **changes: Any) -> list[Record]:
    """Return completed cells whose steps take ``seconds``, with a seed each."""
    fields = {**METHODS[algorithm], **changes}
    return [
        record
        for seed in range(seeds)
        for record in run_of(
            f"{algorithm} {changes} {seed}",
            [{"seconds": 22 * seconds * (1 + 0.001 * seed)}],
            algorithm=algorithm,
            seed=seed,
            **fields,
        )
    ]


def predictor(costs: TransportCosts = COSTS) -> StepPredictor:
    return StepPredictor([("profile.json", small_mlp_profile())], costs)


def test_errors_are_predicted_over_measured() -> None:
    factors = {"ddp": 1.25, "psgd": 0.8}
    seconds = {name: factor * predictor().seconds(cell(name)) for name, factor in factors.items()}

    found = validate(comparison_of(*(runs(name, value) for name, value in seconds.items())), predictor())

    errors = {step.measured.name: step.error for step in found.steps}
    assert errors == pytest.approx({"ddp": 1 / 1.25 - 1, "psgd": 1 / 0.8 - 1})
    assert found.median_error == pytest.approx((0.2 + 0.25) / 2)
    assert found.high_error == pytest.approx(0.25)
    assert len(joined([found, found]).steps) == 4


def test_a_winner_that_is_shown_to_be_slower_is_wrong() -> None:
    right = predictor()
    fastest = min(METHODS, key=lambda name: right.seconds(cell(name)))
    others = [name for name in METHODS if name != fastest]
    as_predicted = [runs(name, right.seconds(cell(name)), seeds=3) for name in METHODS]
    reversed_order = [runs(fastest, 1.0, seeds=3), *(runs(name, 0.5, seeds=3) for name in others)]

    assert validate(comparison_of(*as_predicted), right).num_right == 1
    found = validate(comparison_of(*reversed_order), right)
    assert (len(found.settings), found.num_right) == (1, 0)


def test_the_winner_has_the_shortest_epoch_not_the_shortest_step() -> None:
    # Four minibatches per step make 5 of 22 steps: each takes longer, and all of them together are faster.
    every, fourth = (cell("ddp", task={"accumulate": batches}) for batches in (1, 4))
    right = predictor()
    made = runs("ddp", right.seconds(every), seeds=3)
    for record in runs("ddp", right.seconds(fourth), seeds=3, task={"accumulate": 4}):
        if isinstance(record, Epoch):
            seconds = record.train_seconds * 5 / 22
            made.append(dataclasses.replace(record, steps=5, timed_steps=5, train_seconds=seconds))
        else:
            made.append(record)

    found = validate(comparison_of(made), right)

    assert right.seconds(fourth) > 2 * right.seconds(every)
    assert [step.error for step in found.steps] == pytest.approx([0.0, 0.0], abs=0.01)
    assert (len(found.settings), found.num_right) == (1, 1)


def test_a_break_even_between_two_rates_is_compared() -> None:
    seconds = {("ddp", "10mbit"): 0.2, ("ddp", "1gbit"): 0.1, ("psgd", "10mbit"): 0.1, ("psgd", "1gbit"): 0.2}
    made = [runs(name, value, seeds=3, link=link) for (name, link), value in seconds.items()]

    (found,) = validate(comparison_of(*made), predictor()).break_evens

    assert (found.name, found.low, found.high) == ("psgd", 10**7, 10**9)
    assert found.predicted is not None
    at_break_even = [predictor().seconds(cell(name, link=f"{found.predicted:.0f}bit")) for name in ("psgd", "ddp")]
    assert at_break_even[0] == pytest.approx(at_break_even[1], rel=5e-7)


def test_fitted_constants_predict_other_rates_and_workers() -> None:
    true = TransportCosts(message_seconds=6e-4, segment_seconds=5e-5, step_seconds=3e-3, efficiency=0.95)
    truth = predictor(true)
    cases = list(itertools.product(METHODS, ("2mbit", "20mbit", "1gbit"), (2, 4)))
    comparison = comparison_of(
        *(
            runs(name, truth.seconds(cell(name, link=link, workers=workers)), link=link, workers=workers)
            for name, link, workers in cases
        )
    )

    fitted = fit_costs(measured_steps(comparison), predictor(), COSTS)

    assert fitted.workers == (2, 4)
    assert fitted.rates == (2_000_000, 10**9)
    held_out = [cell(name, link="100mbit", workers=8) for name in METHODS]
    errors = [predictor(fitted).seconds(one) / truth.seconds(one) - 1 for one in held_out]
    assert max(map(abs, errors)) < 0.03, (fitted, errors)


def test_constants_need_two_rates_and_two_methods() -> None:
    steps = measured_steps(comparison_of(runs("ddp", 0.1)))

    with pytest.raises(LiecbenchError, match="1 link rates and 1 methods are too few"):
        fit_costs(steps, predictor(), COSTS)


@pytest.mark.parametrize("link", ["none", {"rate": "10mbit", "loss": "1%"}], ids=["unshaped", "loss"])
def test_results_without_a_predictable_link_are_refused(link: Any) -> None:
    with pytest.raises(
        NothingToCompareError, match="no completed row has a link that can be predicted: with a rate, which `none`"
    ):
        measured_steps(comparison_of(runs("ddp", 0.1, link=link)))


def test_the_profile_must_be_of_the_results_model() -> None:
    other = StepPredictor([("other.json", made_profile([100]))], COSTS)

    with pytest.raises(LiecbenchError, match=r"other.json: it is the profile of another model"):
        other.seconds(cell("ddp"))
    with pytest.raises(LiecbenchError, match="the results have no profile; measure one"):
        StepPredictor([], COSTS).seconds(cell("ddp"))


def _written(directory: Path, records: Sequence[Record]) -> tuple[Path, Path]:
    path = directory / "profile.json"
    write_profile(path, small_mlp_profile())
    return write_ledger(directory / "results", records), path


def test_the_command_prints_the_error_table(tmp_path: Path) -> None:
    results, path = _written(tmp_path, [*runs("ddp", 0.05), *runs("psgd", 0.04)])

    table, as_json = (
        run_in_process("predict", "--validate", results, "--profile", path, "--format", name)
        for name in ("table", "json")
    )

    assert (table.returncode, table.stderr) == (0, "")
    assert "2 rows: median error" in table.stdout
    assert "predicted winner in the measured fastest set" in table.stdout
    assert (as_json.returncode, '"predicted_seconds_per_step"' in as_json.stdout) == (0, True)
    refused = run_in_process("predict", "--validate", results)
    assert refused.returncode == 2
    assert "the results have no profile; measure one with liecbench profile" in refused.stderr


def test_each_flag_that_occurs_is_explained_once() -> None:
    measured = [runs(name, 0.05) for name in METHODS]
    measured[0] = [
        dataclasses.replace(one, other_cpu_share=0.5) if isinstance(one, Epoch) else one for one in measured[0]
    ]
    found = validate(comparison_of(*measured), predictor())
    lines = list(validation_table.summary(found, COSTS))

    assert lines[0] == "disturbed: other processes used over 15% of the machine's CPU time meanwhile"
    assert lines[1].startswith("timed_one_after_another: an earlier version ")
    assert lines[2].startswith("3 rows: median error ")
    for text in (validation_table.plain(found, COSTS), validation_table.markdown(found, COSTS)):
        assert [line.lstrip("- ") for line in text.splitlines() if "_after_another: " in line] == lines[1:2]


def test_markdown_has_one_line_per_row() -> None:
    found = validate(comparison_of(runs("ddp", 0.05)), predictor())

    lines = validation_table.markdown(found, COSTS).splitlines()

    assert lines[0] == "| method | model | workers | link | measured | predicted | error | flags |"
    assert lines[2].startswith("| ddp | mlp | 2 | 20mbit | 50 ms |")
