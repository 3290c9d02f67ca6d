import dataclasses
import json
import math
import re
from collections.abc import Sequence
from typing import Any

import pytest

from liecbench.report import csv_rows, html, json_rows
from liecbench.results.comparison import Comparison
from liecbench.results.language_model import to_perplexity
from liecbench.results.records import Epoch, Record
from liecbench.results.tolerances import Tolerances
from liecbench.results.tuning import at_best
from tests.ledgers import cells_of, comparison_of, end, rows_of, run_of, start

TEXT = {"dataset": {"name": "text"}, "model": {"name": "gpt"}}


def runs(
    algorithm: str, seconds: float, *losses: Sequence[float], task: dict[str, Any] = TEXT, **fields: Any
) -> list[list[Record]]:
    """Return one run per list of test losses, of 1,000 tokens an epoch; their seconds differ by 1 %."""
    return [
        run_of(
            f"{algorithm}{seed}{task}{fields}",
            [
                {"seconds": seconds * (1 + 0.01 * (seed % 3)), "test_loss": loss, "tokens": 1000, "accuracy": 0.25}
                for loss in of_seed
            ],
            algorithm=algorithm,
            seed=seed,
            task=task,
            timing="end_to_end",
            **fields,
        )
        for seed, of_seed in enumerate(losses)
    ]


BASE = runs("ddp", 4.0, [3.0, 2.0], [3.0, 2.1], [3.0, 1.9])
NEAR = runs("psgd", 2.0, [3.0, 2.004], [3.0, 2.105], [3.0, 1.903])


def link_runs(algorithm: str, seconds: float, link: str) -> list[list[Record]]:
    """Return runs of three seeds on a link; psgd's test losses are half a nat higher."""
    rise = 0.5 if algorithm == "psgd" else 0.0
    return runs(algorithm, seconds, [2.0 + rise], [2.1 + rise], [1.9 + rise], link=link)


def means(comparison: Comparison, algorithm: str) -> dict[str, float | None]:
    (row,) = (row for row in comparison.rows if row.algorithm == algorithm)
    return {name: None if value is None else value.mean for name, value in row.metrics.items()}


def test_a_language_model_has_tokens_and_a_perplexity() -> None:
    found = means(comparison_of(*runs("ddp", 4.0, [3.0, 2.5, 1.5, 1.0]), target_loss=2.0), "ddp")

    assert found["perplexity"] == pytest.approx(math.e)
    assert (found["tokens"], found["tokens_per_second"]) == (4000, 250)
    # Halfway from the second evaluation to the third.
    assert (found["epochs_to_target"], found["tokens_to_target"]) == (2.5, 2500)
    assert (found["seconds_to_target"], found["bytes_to_target"]) == (10.0, 500.0)


def test_a_loss_beyond_all_numbers_has_a_finite_perplexity() -> None:
    assert math.isfinite(to_perplexity(1e300))


def test_differences_are_of_the_loss() -> None:
    found = means(comparison_of(*BASE, *NEAR), "psgd")

    assert found["loss_difference"] == pytest.approx(0.004)
    assert found["accuracy_difference"] is None


def test_the_interval_of_the_difference_is_that_of_the_verdict() -> None:
    comparison = comparison_of(*BASE, *NEAR)
    row = next(row for row in comparison.rows if row.algorithm == "psgd")
    shown, judged = row.metrics["loss_difference"], comparison.verdict_of(row).accuracy_of(row)

    # Equal differences: 4.303 · 0.001 / √3
    assert shown is not None
    assert judged is not None
    assert shown.half_width == pytest.approx(0.00248, abs=1e-5)
    assert (shown.low, shown.high) == pytest.approx((-judged.difference.high, -judged.difference.low))  # type: ignore[operator]


def test_columns_and_verdict_are_about_the_loss() -> None:
    comparison = comparison_of(*BASE, *NEAR, wide=True, tolerances=Tolerances(loss=0.01))
    names = {metric.name for metric in comparison.columns()}

    assert {"test_loss", "perplexity", "loss_difference", "tokens_per_second"} <= names
    assert "test_accuracy" not in names
    # 0.004 ± 4.303 · 0.001 / √3
    kept = "test loss within 0.01 nats of ddp's: kept by psgd +0.004 nats (+0.002 to +0.006)"
    assert comparison.verdict[1:] == (kept, "recommended: psgd, shown to be faster and to keep the test loss")


def test_the_page_and_the_table_are_about_the_loss() -> None:
    methods = (("ddp", 4.0), ("psgd", 2.0))
    found = [
        run for link in ("10mbit", "20mbit") for name, seconds in methods for run in link_runs(name, seconds, link)
    ]
    page = html.render(comparison_of(*found))

    assert 'faster, test loss raised">2.00×' in page
    assert "“raised”: test loss raised" in page
    assert not re.search("accuracy (kept|lost|not known)", page)


def test_a_loss_may_be_lost_or_not_shown() -> None:
    lost = comparison_of(*BASE, *runs("psgd", 2.0, [2.5], [2.6], [2.4])).verdict
    # Differences of −0.1, 0.1 and 0 nats.
    open_ = comparison_of(*BASE, *runs("psgd", 2.0, [1.9], [2.2], [1.9]), tolerances=Tolerances(loss=0.1)).verdict

    assert lost[1] == "test loss within 0.02 nats of ddp's: raised by psgd +0.500 nats (+0.498 to +0.502)"
    assert lost[2] == "no recommendation: every faster method (psgd) raises the test loss"
    assert open_[1] == "test loss within 0.1 nats of ddp's: not known yet for psgd +0.000 nats (-0.248 to +0.248)"
    # (t(0.975) + t(0.8)) · 0.1 / √n ≤ 0.1: 3.27 at n = 10, 3.11 ≤ √10.
    assert open_[2].startswith(
        "no recommendation: about 7 more seeds (10 in all) are needed to know whether psgd keeps the test loss: "
    )


def test_json_and_csv_have_them_only_with_language_models() -> None:
    names = {"perplexity", "loss_difference", "tokens", "tokens_per_second", "tokens_to_target"}
    text, digits = comparison_of(*BASE, *NEAR), comparison_of(*runs("ddp", 4.0, [1.0], task={}))
    digits_run = comparison_of(run_of("d"))
    row = json.loads(json_rows.render(text))["rows"][0]

    assert (names <= row.keys(), row["accuracy_verdict"], digits.rows[0].is_language_model) == (True, "kept", True)
    assert not names & json.loads(json_rows.render(digits_run))["rows"][0].keys()
    assert names <= set(csv_rows.render(text).partition("\n")[0].split(","))


def test_each_kind_of_model_has_its_own_target() -> None:
    image = run_of("d", [{"seconds": 2.0, "accuracy": 0.9}, {"seconds": 2.0, "accuracy": 0.9}], timing="end_to_end")
    both = comparison_of(*BASE, *NEAR, image, target_accuracy=0.5, target_loss=2.5)
    reached = {row.fields["dataset"]: row.metrics["epochs_to_target"] for row in both.rows if row.is_baseline}

    assert reached["digits"] is not None
    assert (reached["digits"].mean, reached["text"]) == (1.0, None)  # one evaluation of the text is below 2.5
    assert any("reaches a test loss of 2.5 with every seed" in line for line in both.verdict)


def test_the_best_learning_rate_has_the_lowest_loss() -> None:
    tried = [
        *runs("ddp", 1.0, [2.0], [2.0], task={**TEXT, "learning_rate": 0.1}),
        *runs("ddp", 1.0, [1.5], [2.5], task={**TEXT, "learning_rate": 0.3}),
    ]
    lost: list[Record] = [start("l", task={**TEXT, "learning_rate": 1.0}), end("l", status="failed", error="lost")]
    found = at_best(cells_of(*tried, lost), "learning_rate")
    comparison = comparison_of(*tried, tuned_field="learning_rate")

    assert [(cell.spec["task"]["learning_rate"], cell.spec["seed"]) for cell in found] == [(0.3, 1)]
    assert "chosen by the test loss of every other seed" in comparison.verdict[0]


def test_records_without_tokens_are_known_by_their_dataset() -> None:
    bare = [dataclasses.replace(one, tokens=None) if isinstance(one, Epoch) else one for one in BASE[0]]
    (row,) = rows_of(bare)

    assert (row.is_language_model, row.metrics["tokens"], row.metrics["perplexity"] is None) == (True, None, False)
