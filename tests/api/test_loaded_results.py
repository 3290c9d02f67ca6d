import dataclasses
import importlib
import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import liecbench
from liecbench.config.cell import Cell
from liecbench.config.cell_keys import contestant_key, setting_key, trajectory_spec
from liecbench.errors import LiecbenchError, NothingToCompareError
from liecbench.results.asked_cells import AskedCells, write_asked
from liecbench.results.records import Record
from tests.cli.in_process import run_in_process
from tests.ledgers import end, epoch, run_of, spec, start, timing, write_ledger


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two links: liec's epochs take a quarter of ddp's time and a tenth of its bytes."""
    runs = [
        run
        for link, factor in (("10mbit", 1.0), ("100mbit", 0.1))
        for seed in range(2)
        for run in (
            run_of(f"d{link}{seed}", [{"seconds": (2 + seed) * factor}, {"seconds": 4 * factor}], seed=seed, link=link),
            run_of(
                f"l{link}{seed}",
                [{"seconds": (2 + seed) * factor / 4, "payload": (10, 10), "accuracy": 0.25}, {"seconds": factor}],
                seed=seed,
                link=link,
                algorithm="liec",
                compressor={"name": "sign"},
            ),
        )
    ]
    failed: list[Record] = [start("f", algorithm="psgd", link="10mbit"), end("f", status="failed", error="lost <b>")]
    return write_ledger(tmp_path_factory.mktemp("results"), *runs, failed)


@pytest.fixture(scope="module")
def results(directory: Path) -> liecbench.Results:
    return liecbench.load_results(directory)


def test_it_has_the_numbers_of_the_command(directory: Path, results: liecbench.Results) -> None:
    printed = json.loads(run_in_process("compare", directory, "--format", "json").stdout)

    assert printed["rows"] == json.loads(json.dumps(results.rows))
    assert printed["verdict"] == json.loads(json.dumps(results.verdict))
    assert printed["break_even"] == json.loads(json.dumps(results.break_even))
    assert printed["bandwidth_needed"] == json.loads(json.dumps(results.bandwidth_needed))


def test_notes_are_those_of_the_command(tmp_path: Path) -> None:
    directory = write_ledger(tmp_path / "results", run_of("d"))
    write_asked(directory, AskedCells.of([Cell.from_spec(spec("psgd", timing="end_to_end"))]))
    (note,) = liecbench.load_results(directory).notes

    assert note.startswith(f"{directory} is not finished: it lacks the training of psgd (seed 0); ")
    assert json.loads(run_in_process("compare", directory, "--format", "json").stdout)["notes"] == [note]


def test_rows_have_the_measured_numbers(results: liecbench.Results) -> None:
    liec = next(row for row in results.rows if (row["algorithm"], row["link"]) == ("liec", "10mbit"))
    failed = next(row for row in results.rows if row["algorithm"] == "psgd")

    # ddp: (2 + 4) / 2 and (3 + 4) / 2 seconds per epoch; liec a quarter of them.
    assert liec["seconds_per_epoch"]["mean"] == pytest.approx((0.75 + 0.875) / 2)
    assert liec["speedup"]["mean"] == pytest.approx(4)
    assert (liec["compressor"], liec["cells"]) == ("sign", 2)
    assert (failed["failed"], failed["errors"], failed["speedup"]) == (1, ["failed: lost <b>"], None)


def test_epochs_have_the_recorded_numbers(results: liecbench.Results) -> None:
    liec = [row for row in results.epochs if (row["algorithm"], row["link"], row["seed"]) == ("liec", "100mbit", 1)]
    first = liec[0]

    assert len(results.epochs) == 2 * 2 * 2 * 2  # links, seeds, methods, epochs
    assert [(row["epoch"], row["test_accuracy"]) for row in liec] == [(1, 0.25), (2, 0.5)]
    assert first["train_seconds"] == pytest.approx(3 * 0.1 / 4)
    assert (first["payload_bytes"], first["wire_bytes"], first["steps"]) == (20, None, 22)  # sent + received
    assert (first["train_seconds_low"], first["train_seconds_high"], first["status"]) == (None, None, "completed")


def test_epochs_of_a_timing_session_have_times_with_intervals(tmp_path: Path) -> None:
    timed: dict[str, Any] = {"timing": "interleaved", "link": "10mbit"}
    known = spec(**timed)
    trained = trajectory_spec(known)
    contestant, setting = contestant_key(known), setting_key(known)
    training: list[Record] = [
        dataclasses.replace(start("t"), spec=trained),
        *(dataclasses.replace(epoch("t", number, accuracy=0.5), step_kinds={"step": 22}) for number in (1, 2)),
        end("t"),
    ]
    bursts = [
        timing(contestant, setting=setting, seconds=seconds, placement=n // 2, round_=n % 2)
        for n, seconds in enumerate((1.0, 1.1, 0.9, 1.0))
    ]
    directory = write_ledger(tmp_path, training, [start("c", **timed)], bursts, [end("c")])
    rows = liecbench.load_results(directory).epochs

    assert [row["train_seconds"] for row in rows] == [pytest.approx(2.2), pytest.approx(2.2)]  # 22 steps of 0.1 s
    assert [row["test_accuracy"] for row in rows] == [0.5, 0.5]
    for row in rows:
        assert 1.5 < row["train_seconds_low"] < row["train_seconds"] < row["train_seconds_high"] < 3


def test_data_frames_have_a_column_per_number(results: liecbench.Results) -> None:
    pandas = pytest.importorskip("pandas", reason="the extra liecbench[pandas] is not installed")
    rows, epochs = results.to_pandas(), results.epochs_to_pandas()
    liec = rows[(rows.algorithm == "liec") & (rows.link == "10mbit")].iloc[0]
    total = epochs[epochs.algorithm == "ddp"].groupby("link").train_seconds.sum()

    assert liec.speedup == pytest.approx(4)
    assert liec.seconds_per_epoch_low < liec.seconds_per_epoch < liec.seconds_per_epoch_high
    assert pandas.isna(rows[rows.algorithm == "psgd"].iloc[0].speedup_low)
    assert total["10mbit"] == pytest.approx(2 + 4 + 3 + 4)
    assert (len(rows), len(epochs)) == (5, 16)
    assert epochs.wire_bytes.isna().all()
    assert not math.isnan(epochs.train_loss.sum())


def test_without_pandas_the_error_says_what_to_install(
    results: liecbench.Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(LiecbenchError, match=r"pip install 'liecbench\[pandas\]'"):
        results.to_pandas()


def test_a_figure_is_that_of_the_report(results: liecbench.Results) -> None:
    drawn = results.plot("accuracy-epochs").to_plotly_json()
    (menu,) = drawn["layout"]["updatemenus"]
    visible = [trace for trace in drawn["data"] if trace["visible"]]

    assert [button["label"] for button in menu["buttons"]] == ["10mbit", "100mbit"]
    assert 0 < len(visible) < len(drawn["data"])
    assert {"ddp", "liec"} <= {trace["name"].split()[0] for trace in visible}


def test_the_speedup_is_the_first_chart_of_the_page(results: liecbench.Results, directory: Path) -> None:
    drawn = results.plot("speedup").to_plotly_json()
    (shown,) = [trace for trace in drawn["data"] if trace["visible"]]
    names, texts = zip(*(label.split("<br>") for label in shown["y"]), strict=True)
    page = directory.parent / "page.html"
    run_in_process("report", directory, "-o", page)

    assert results.figures[0] == "speedup"
    assert (list(names), list(shown["x"])) == (["liec", "ddp"], [4.0, 1.0])
    assert re.findall('<span class="value">(.*)</span>', page.read_text())[: len(texts)] == list(texts)


def test_an_unknown_figure_names_those_that_exist(results: liecbench.Results) -> None:
    with pytest.raises(LiecbenchError, match="did you mean accuracy-epochs"):
        results.plot("accuracy-epoch")


def test_a_notebook_shows_the_comparison(directory: Path, results: liecbench.Results) -> None:
    printed = run_in_process("compare", directory, "--format", "markdown").stdout

    assert results._repr_markdown_() == printed
    assert repr(results) == f"<Results of {directory}: 5 rows of 9 cells>"


@pytest.mark.parametrize("given", [[], "nothing-here"])
def test_what_holds_no_results_is_an_error_and_no_exit(given: Any, tmp_path: Path) -> None:
    with pytest.raises(LiecbenchError):
        liecbench.load_results(given if isinstance(given, list) else tmp_path / given)


def test_a_damaged_ledger_has_the_commands_message(directory: Path, tmp_path: Path) -> None:
    lines = (directory / "records.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "records.jsonl").write_bytes(b"".join([lines[0], b"{]\n", *lines[1:]]))
    printed = run_in_process("compare", tmp_path).stderr

    with pytest.raises(LiecbenchError) as error:
        liecbench.load_results(tmp_path)
    assert printed == f"liecbench: {error.value}\n"


def test_a_run_that_has_just_begun_has_nothing_to_compare(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_bytes(b"")

    with pytest.raises(NothingToCompareError, match="no cell has begun"):
        liecbench.load_results(tmp_path)


def test_several_directories_are_compared_with_the_settings_of_the_first(directory: Path, tmp_path: Path) -> None:
    other = write_ledger(tmp_path / "other", run_of("x", algorithm="csgd", link="10mbit"))
    (other / "scenario.yaml").write_text("baseline: csgd\n")

    with pytest.warns(UserWarning, match="its scenario has baseline "):
        both = liecbench.load_results([directory, other])
    assert {row["algorithm"] for row in both.rows} == {"ddp", "liec", "psgd", "csgd"}
    rows = liecbench.load_results(directory, baseline="liec").rows
    assert {row["speedup"]["mean"] for row in rows if row["algorithm"] == "liec"} == {1.0}
    with pytest.raises(LiecbenchError, match="no cell has this algorithm"):
        liecbench.load_results(directory, baseline="cser")


def test_the_package_names_its_functions_and_no_others() -> None:
    module = importlib.import_module("liecbench")

    assert {"run", "load_results", "Results"} <= set(dir(module))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = module.nothing
