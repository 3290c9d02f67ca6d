"""Rows whose ranks replayed a profile say so wherever their times are shown."""

import csv
import io
import json

import pytest
from rich.console import Console

from liecbench.report import csv_rows, html, json_rows, markdown, terminal
from liecbench.results.comparison import Comparison
from tests import replayed_results

PROFILE = "0123456789abcdef" * 4
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
    assert SENTENCE.replace("this machine", "a profile's device") in both.verdict


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
    lines = [line for line in markdown.render(both).splitlines() if line.startswith("| ")]
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
