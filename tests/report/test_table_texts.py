"""Rows whose ranks replayed a profile say so wherever their times are shown; the best cells of a column."""

import csv
import io
import json
import re

import pytest
from rich.console import Console

from liecbench.report import csv_rows, html, json_rows, markdown, terminal
from liecbench.report.table_texts import best_cells
from liecbench.results.comparison import Comparison
from liecbench.results.metrics import METRICS
from tests import replayed_results
from tests.ledgers import comparison_of, run_of
from tests.replayed_results import PROFILE

SENTENCE = "times replayed from a profile: each rank computes as if it had this machine alone"


@pytest.fixture(scope="module")
def replayed() -> Comparison:
    return replayed_results.comparison(replayed_results.records(4.0, compute="replayed"))


@pytest.fixture(scope="module")
def both() -> Comparison:
    return replayed_results.comparison(
        replayed_results.records(), replayed_results.records(compute="replayed", profile=PROFILE)
    )


def printed(comparison: Comparison) -> str:
    console = Console(width=400, file=io.StringIO(), record=True)
    console.print(terminal.render(comparison))
    return console.export_text()


def test_the_verdict_says_it_once_and_each_setting_names_the_dilation(replayed: Comparison) -> None:
    assert [line for line in replayed.verdict if line == SENTENCE] == [SENTENCE]
    assert {verdict.setting for verdict in replayed.setting_verdicts} == {"10mbit", "100mbit"}
    assert any(line.startswith("10mbit (replayed ×4): psgd is the fastest") for line in replayed.verdict)


def test_a_profile_of_another_device_is_named(both: Comparison) -> None:
    assert SENTENCE.replace("this machine", "the profile's device") in both.verdict


def test_every_form_of_the_table_shows_it(replayed: Comparison) -> None:
    for text in (printed(replayed), markdown.render(replayed), html.render(replayed)):
        assert "times replayed ×4" in text
        assert SENTENCE in text


def test_measured_and_replayed_rows_stand_beside_each_other_and_are_never_averaged(both: Comparison) -> None:
    assert [len(row.cells) for row in both.rows] == [1] * 8
    assert {row.compute_text for row in both.rows} == {"measured", "replayed"}
    for row in both.rows:
        (base,) = (one for one in both.verdict_of(row).rows if one.is_baseline)
        assert base.is_replayed == row.is_replayed
    assert "replayed · profile 01234567 · 10mbit" in {verdict.setting for verdict in both.setting_verdicts}
    lines = markdown.render(both).partition("\n\n")[0].splitlines()
    column = [cell.strip() for cell in lines[0].split("|")].index("compute")
    assert {line.split("|")[column].strip() for line in lines[2:]} == {"measured", "replayed"}


def test_json_and_csv_have_the_flag_and_the_dilation(replayed: Comparison, both: Comparison) -> None:
    rows = json.loads(json_rows.render(replayed))["rows"]
    table = list(csv.DictReader(io.StringIO(csv_rows.render(replayed))))

    assert [(row["flags"], row["compute"], row["profile"], row["dilation"]) for row in rows] == [
        (["replayed"], "replayed", None, 4.0)
    ] * 4
    assert [(row["compute"], row["dilation"]) for row in table] == [("replayed", "4.0")] * 4
    found = {(row["compute"], row["profile"]): row for row in json.loads(json_rows.render(both))["rows"]}
    assert {key: (row["flags"], row["dilation"]) for key, row in found.items()} == {
        ("measured", None): ([], 1.0),
        ("replayed", PROFILE): (["replayed"], 1.0),
    }


@pytest.fixture(scope="module")
def timed() -> Comparison:
    return replayed_results.comparison(replayed_results.timed_only(16.0))


def test_a_verdict_on_cells_without_training_speaks_of_speed_only(timed: Comparison) -> None:
    verdict = "\n".join(timed.verdict)

    assert timed.warnings == ()  # not: its 1 steps are fewer than average_period
    assert "10mbit (replayed ×16, not trained): psgd is the fastest" in verdict
    assert "no recommendation: the accuracy of psgd was not measured; train with a scenario" in verdict
    assert "not trained: accuracy not measured; an epoch stands for one step" in verdict
    assert "within" not in verdict
    assert timed.break_evens[0].outcome == "below"


def test_rows_without_training_have_no_accuracy_and_say_so(timed: Comparison) -> None:
    rows = json.loads(json_rows.render(timed))["rows"]

    assert {row["test_accuracy"] for row in rows} == {row["train_loss"] for row in rows} == {None}
    assert {row["accuracy_verdict"] for row in rows} == {None}
    assert {tuple(row["flags"]) for row in rows} == {("replayed", "not_trained")}
    # 1 s for 10 steps, and 5 s at a fifth of the rate at which both take equally long.
    assert [round(row["seconds_per_epoch"]["mean"], 3) for row in rows] == [0.1, 0.5, 0.05, 0.1]
    for text in (printed(timed), markdown.render(timed), html.render(timed)):
        assert "times replayed ×16" in text
        assert "not trained" in text
        assert "profile 01234567" in text
        assert not re.search(r"(?i)\bnan\b", text.partition("<script")[0])
    assert "nan" not in csv_rows.render(timed)


def test_the_baseline_is_not_the_best_in_what_compares_with_it() -> None:
    rows = comparison_of(
        run_of("d", [{"seconds": 4.0, "accuracy": 0.9}]),
        run_of("l", [{"seconds": 1.0, "accuracy": 0.8}], algorithm="liec"),
    ).rows
    best = {
        name: [row.algorithm for row in rows if id(row) in best_cells(rows, METRICS[name])]
        for name in ("test_accuracy", "accuracy_difference", "speedup", "seconds_per_epoch")
    }

    assert best == {
        "test_accuracy": ["ddp"],
        "accuracy_difference": [],
        "speedup": ["liec"],
        "seconds_per_epoch": ["liec"],
    }
