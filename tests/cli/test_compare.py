import csv
import io
import json
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.in_process import run_in_process
from tests.cli.on_terminal import run_on_terminal
from tests.ledgers import end, run_of, start, write_ledger

COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3\d|4\d|9\d|10\d)(?:;\d+)*m")


def on_a_terminal(arguments: Sequence[object], **environment: str) -> str:
    """Return what a command prints on a terminal."""
    inherited = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    return run_on_terminal(
        arguments, environment={**inherited, "TERM": "xterm-256color", "COLUMNS": "200", **environment}
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    liec = [{"seconds": 0.5, "payload": (10, 10)}]
    return write_ledger(
        tmp_path_factory.mktemp("results"),
        run_of("d0", [{"seconds": 2.0}]),
        run_of("d1", [{"seconds": 4.0}], seed=1),
        run_of("l0", liec, algorithm="liec", compressor={"name": "sign"}),
        run_of("l1", liec, algorithm="liec", compressor={"name": "sign"}, seed=1),
    )


def test_compare_prints_a_table(results: Path) -> None:
    done = run_in_process("compare", results)
    lines = done.stdout.splitlines()
    place = next(index for index, line in enumerate(lines) if line.startswith("─"))

    assert (done.returncode, done.stderr, lines[place - 1].split()) == (0, "", ["method", "accuracy", "speed-up"])
    assert [line.split()[0] for line in lines[place + 1 : place + 3]] == ["liec", "ddp"]


def test_compare_warns_of_a_metric_that_no_cell_has(results: Path) -> None:
    done = run_in_process("compare", results, "--metric", "joules_per_epoch", "--metric", "test_accuracy")

    assert (done.returncode, done.stderr) == (0, "--metric joules_per_epoch: no cell here has it\n")


def test_compare_prints_markdown(results: Path) -> None:
    done = run_in_process("compare", results, "--format", "markdown", "--metric", "speedup")

    # 2 s ÷ 0.5 s and 4 s ÷ 0.5 s: √32, times and over e to 12.706 · ln 2 / 2
    assert (
        done.returncode,
        done.stderr,
        done.stdout.splitlines()[:4],
    ) == (
        0,
        "",
        ["| algorithm | speed-up |", "| --- | ---: |", "| liec | 5.66× (0.07 to 462.4) |", "| ddp * | 1.00× |"],
    )


def test_compare_names_a_tuned_field_and_other_settings(results: Path, tmp_path: Path) -> None:
    slow, fast = [{"accuracy": 0.5}], [{"accuracy": 0.9}]
    tuned = write_ledger(
        tmp_path / "tuned",
        run_of("a", slow, task={"learning_rate": 0.1}),
        run_of("b", fast, task={"learning_rate": 0.4}),
    )
    (tuned / "scenario.yaml").write_text("baseline: psgd\n")
    done = run_in_process("compare", tuned, results, "--best", "learning_rate", "--format", "markdown")

    assert done.returncode == 0
    assert "- each method at its best learning_rate: chosen by the accuracy of every other seed" in done.stdout
    expected = "its scenario has baseline ddp instead of psgd; this comparison uses the values of"
    assert done.stderr == f"{results}: {expected} {tuned}\n"


@pytest.mark.parametrize("links", [["20mbit"], ["20mbit", "50mbit"]])
def test_the_short_table_says_once_which_rows_were_trained_otherwise(tmp_path: Path, links: list[str]) -> None:
    runs = [
        run_of(f"{name} {link}", [{"seconds": seconds}], algorithm=name, link=link, task={"accumulate": accumulate})
        for link in links
        for name, seconds, accumulate in (("ddp", 2.0, 1), ("psgd", 1.5, 1), ("memsgd", 1.0, 2))
    ]
    lines = run_in_process("compare", write_ledger(tmp_path / "results", *runs)).stdout.splitlines()

    assert [line.strip() for line in lines if "trained otherwise" in line] == [
        "trained otherwise than ddp: memsgd (accumulate 2 instead of 1)"
    ]


def test_compare_prints_json_alone(results: Path) -> None:
    done = run_in_process("compare", results, "--format", "json")
    rows = json.loads(done.stdout)["rows"]
    actual = [(row["algorithm"], row["cells"], row["speedup"]["mean"], row["bytes_ratio"]["mean"]) for row in rows]

    geometric_mean = pytest.approx(32**0.5)
    assert (done.returncode, done.stderr, actual) == (0, "", [("liec", 2, geometric_mean, 10.0), ("ddp", 2, 1.0, 1.0)])


def test_compare_prints_csv_alone(results: Path) -> None:
    done = run_in_process("compare", results, "--format", "csv")
    actual = [(row["algorithm"], row["seconds_per_epoch"]) for row in csv.DictReader(io.StringIO(done.stdout))]

    assert (done.returncode, done.stderr, actual) == (0, "", [("liec", "0.5"), ("ddp", "3.0")])


def test_compare_says_how_the_same_comparison_has_all_metrics(results: Path, tmp_path: Path) -> None:
    other = write_ledger(tmp_path / "a b", run_of("p0", [{"seconds": 1.0}], algorithm="psgd"))
    options = ["--by", "link", "--baseline", "liec", "--with-loading"]
    narrow = run_in_process("compare", results, other, *options, "--metric", "speedup")
    (hint,) = (line for line in narrow.stdout.splitlines() if line.endswith(": all metrics, and the whole verdict"))
    program, *words = shlex.split(hint.rpartition(": all")[0])
    wide = run_in_process(*words)

    assert (program, words) == ("liecbench", ["compare", str(results), str(other), *options, "--wide"])
    assert (narrow.returncode, wide.returncode) == (0, 0)
    assert "* the baseline, liec" in wide.stdout
    assert "all metrics, and the whole verdict" not in wide.stdout


def test_compare_takes_several_directories(results: Path, tmp_path: Path) -> None:
    other = write_ledger(tmp_path, run_of("p0", algorithm="psgd"))
    done = run_in_process("compare", results, other, "--format", "json")

    assert {"ddp", "liec", "psgd"} == {row["algorithm"] for row in json.loads(done.stdout)["rows"]}


def test_compare_takes_another_baseline(results: Path) -> None:
    done = run_in_process("compare", results, "--baseline", "liec", "--format", "json")

    assert [row["bytes_ratio"]["mean"] for row in json.loads(done.stdout)["rows"]] == [1.0, 0.1]


def test_the_scenarios_baseline_and_target_are_used(tmp_path: Path) -> None:
    # A target is reached when two epochs in a row reach it.
    slow, fast = [{"seconds": 2.0}] * 2, [{"seconds": 1.0}] * 2
    directory = write_ledger(tmp_path, run_of("d", slow), run_of("p", fast, algorithm="psgd"))
    (directory / "scenario.yaml").write_text("baseline: psgd\ntarget_accuracy: 0.5\n")
    done = run_in_process("compare", directory, "--format", "json")
    actual = [(row["algorithm"], row["speedup"]["mean"], row["reached"]) for row in json.loads(done.stdout)["rows"]]

    assert actual == [("psgd", 1.0, "1/1"), ("ddp", 0.5, "1/1")]


def test_a_scenarios_baseline_without_results_is_no_error(tmp_path: Path) -> None:
    directory = write_ledger(tmp_path, run_of("d"))
    (directory / "scenario.yaml").write_text("baseline: psgd\n")
    done = run_in_process("compare", directory, "--format", "json")

    assert (done.returncode, done.stderr) == (0, "")


def test_failed_cells_are_shown(tmp_path: Path) -> None:
    directory = write_ledger(
        tmp_path, run_of("d"), [start("p", algorithm="psgd"), end("p", status="failed", error="rank 1 [lost]")]
    )
    done = run_in_process("compare", directory)

    assert (
        done.returncode,
        "1/1 failed" in done.stdout,
        done.stdout.splitlines()[-1].strip(),
    ) == (0, True, "psgd: failed: rank 1 [lost]")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metric", "speedups"], "--metric speedups: there is no such metric; did you mean speedup?"),
        (["--by", "algoritm"], "--by algoritm: there is no such field; did you mean algorithm?"),
        (["--baseline", "leic"], "--baseline leic: no cell has this algorithm; did you mean liec?"),
    ],
    ids=["metric", "by", "baseline"],
)
def test_unknown_names_suggest_the_nearest(results: Path, options: list[str], message: str) -> None:
    done = run_in_process("compare", results, *options)

    assert (2, "", f"liecbench: {message}\n") == (done.returncode, done.stdout, done.stderr)


def test_nothing_to_compare_is_exit_code_4(tmp_path: Path) -> None:
    write_ledger(tmp_path)
    done = run_in_process("compare", tmp_path)

    assert (4, "", f"liecbench: {tmp_path}: no cell has begun; let `liecbench run` finish an epoch\n") == (
        done.returncode,
        done.stdout,
        done.stderr,
    )


def test_a_path_that_is_no_results_directory_is_named(tmp_path: Path) -> None:
    done = run_in_process("compare", tmp_path / "none")
    path = tmp_path / "none" / "records.jsonl"

    assert (2, f"liecbench: {path}: No such file or directory; give a results directory that `run` wrote\n") == (
        done.returncode,
        done.stderr,
    )


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"{\n", b"3\n"])
def test_a_damaged_ledger_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "records.jsonl").write_bytes(content)
    done = run_in_process("compare", tmp_path)
    prefix = f"liecbench: {tmp_path / 'records.jsonl'}:"

    assert (2, prefix, 1) == (done.returncode, done.stderr[: len(prefix)], done.stderr.count("\n"))


def test_colour_is_for_terminals_alone(results: Path) -> None:
    piped = run_in_process("compare", results).stdout
    shown = on_a_terminal(["compare", results])

    assert ("\x1b" in piped, COLOUR.search(shown) is not None) == (False, True)


def test_no_color_is_honoured(results: Path) -> None:
    actual = on_a_terminal(["compare", results], NO_COLOR="1")

    assert ("liec" in actual, COLOUR.findall(actual)) == (True, [])
