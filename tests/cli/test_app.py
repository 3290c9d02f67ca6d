import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from liecbench.config.loader import load_scenario
from liecbench.results.ledger import Ledger
from liecbench.results.records import Record
from tests.cli.in_process import run_in_process
from tests.ledgers import end, run_of, start

# 64·8 + 8 + 8·10 + 10 = 610 parameters, 2440 bytes; of two ranks each sends 2·(1/2) of them in 1437 // 64 = 22 steps.
SCENARIO = """\
name: small
task: {dataset: digits, model: {name: mlp, width: 8, layers: 1}, batch_size: 32, epochs: 2, learning_rate: 0.1}
matrix:
  algorithm: [ddp, psgd]
  workers: [2, 4]
timing: end_to_end
"""
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3\d|4\d|9\d|10\d)(?:;\d+)*m")


def on_a_terminal(arguments: Sequence[object], **environment: str) -> str:
    """Return what a command prints on a terminal."""
    shown, terminal = pty.openpty()
    command = [sys.executable, "-m", "liecbench", *map(str, arguments)]
    inherited = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    env = {**inherited, "TERM": "xterm-256color", "COLUMNS": "200", **environment}
    child = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=env)
    os.close(terminal)
    text = b""
    while True:
        try:
            text += os.read(shown, 4096)
        except OSError:  # the terminal's other end is closed
            break
    os.close(shown)
    assert child.wait() == 0
    return text.decode()


def write(directory: Path, *runs: list[Record]) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    with Ledger(directory) as ledger:
        for record in (record for run in runs for record in run):
            ledger.append(record)
    return directory


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    liec = [{"seconds": 0.5, "payload": (10, 10)}]
    return write(
        tmp_path_factory.mktemp("results"),
        run_of("d0", [{"seconds": 2.0}]),
        run_of("d1", [{"seconds": 4.0}], seed=1),
        run_of("l0", liec, algorithm="liec", compressor={"name": "sign"}),
        run_of("l1", liec, algorithm="liec", compressor={"name": "sign"}, seed=1),
    )


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command(flag: str) -> None:
    done = run_in_process(flag)
    missing = {
        "run",
        "compare",
        "report",
        "check",
        "baseline",
        "data",
        "list",
        "doctor",
        "bench",
        "init",
        "schema",
    } - set(done.stdout.split())

    assert (0, "", set()) == (done.returncode, done.stderr, missing)


COMMANDS = ["run", "compare", "report", "baseline", "data", "list", "doctor", "bench", "init", "schema", "check"]
CHECKS = [f"check {name}" for name in ("results", "scenarios", "revisions", "pythons", "self-test")]


@pytest.mark.parametrize("command", [*COMMANDS, *CHECKS])
def test_every_command_has_help(command: str) -> None:
    done = run_in_process(*command.split(), "--help")

    assert (done.returncode, done.stderr, f"liecbench {command}" in done.stdout) == (0, "", True)


def test_the_installed_module_prints_help() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "liecbench", "--help"], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stderr, "Usage: liecbench" in done.stdout) == (0, "", True)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("frobnicate",),
        ("compare",),
        ("run",),
        ("list", "foo"),
        ("compare", ".", "--format", "xml"),
        ("run", "--fast"),
        ("run", "s.yaml", "--resume"),
        ("check",),
        ("check", "results", "r"),
        ("check", "results", "r", "--baseline", "b", "--only", "seed=1"),
        ("check", "scenarios", "a.yaml", "b.yaml", "--baseline", "x"),
        ("check", "scenarios", "a.yaml", "b.yaml", "--accuracy-margin", "1"),
        ("check", "revisions", "s.yaml", "HEAD"),
        ("check", "pythons", "s.yaml", "python"),
        ("check", "self-test", "--env-b", "A=1"),
        ("check", "self-test", "--tolerance", "0.1"),
        ("check", "self-test", "--relaunches", "0"),
        ("bench",),
        ("bench", "links"),
        ("bench", "compressors", "--size", "0"),
        ("bench", "exchange", "--size", "many"),
        ("bench", "exchange", "--workers", "1"),
        ("bench", "compressors", "--format", "csv"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    done = run_in_process(*arguments)

    assert (done.returncode, done.stdout, "Usage: " in done.stderr, "Traceback" in done.stderr) == (2, "", True, False)


def test_a_dry_run_lists_remaining_cells_and_runs_nothing(scenario: Path) -> None:
    out = write(scenario.parent / "results" / "small", run_of(load_scenario(scenario, ["task.epochs=3"]).cells()[1].id))
    options = ["--dry-run", "--only", "workers=2", "--set", "task.epochs=3"]
    done = run_in_process("run", scenario, *options, directory=scenario.parent)
    first, *lines = done.stdout.splitlines()

    assert (
        0,
        "2 cells, 1 of them done; results in results/small",
        ["ddp · 2 workers · none · seed 0: 3 epochs, about N s"],
        f"payload per rank and epoch: {2440 * 22:,} bytes sent, {2440 * 22:,} received",
        ["records.jsonl"],
    ) == (
        done.returncode,
        first,
        [re.sub(r"about \d+", "about N", line[16:]) for line in lines if " · " in line],
        lines[-3].strip(),
        [path.name for path in out.iterdir()],
    )
    sent = f"{3 * 2 * 2440 * 22:,} payload bytes sent by all ranks"
    assert re.fullmatch(rf"estimated: about \d+ s in all, {sent}", lines[-1])


@pytest.mark.parametrize(
    ("old", "new", "options", "message"),
    [
        (
            "epochs: 2",
            "epoch: 2",
            [],
            "small.yaml:2:82: task.epoch: there is no key 'epoch' here (did you mean epochs?)",
        ),
        ("", "", ["--set", "tusk.epochs=2"], "--set tusk.epochs=2: tusk"),
    ],
    ids=["unknown key", "--set"],
)
def test_a_bad_scenario_is_one_line_and_exit_code_2(
    tmp_path: Path, old: str, new: str, options: list[str], message: str
) -> None:
    (tmp_path / "small.yaml").write_text(SCENARIO.replace(old, new))
    done = run_in_process("run", "small.yaml", *options, directory=tmp_path)

    assert (2, "", f"liecbench: {message}", 1, ["small.yaml"]) == (
        done.returncode,
        done.stdout,
        done.stderr[: len(f"liecbench: {message}")],
        done.stderr.count("\n"),
        sorted(path.name for path in tmp_path.iterdir()),
    )


def test_list_prints_one_line_per_name() -> None:
    done = run_in_process("list", "algorithms", environment={"COLUMNS": ""})
    names = ["ddp_fp16", "liec", "neolithic", "psgd"]
    listed = [line.split()[0] for line in done.stdout.splitlines()]

    assert (0, "", names) == (done.returncode, done.stderr, [name for name in listed if name in names])
    assert sorted(set(listed)) == listed


def test_schema_prints_json_alone() -> None:
    done = run_in_process("schema")

    assert (done.returncode, done.stderr, json.loads(done.stdout)["title"]) == (0, "", "liecbench scenario")


def test_init_writes_a_scenario_that_runs(tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    done = run_in_process("init", path)

    assert (0, "", f"wrote {path}; next: liecbench run {path} --dry-run\n", ["ddp", "ddp_bf16", "liec"]) == (
        done.returncode,
        done.stdout,
        done.stderr,
        [cell.algorithm.name for cell in load_scenario(path).cells()],
    )


def test_init_writes_scenario_yaml_by_default(tmp_path: Path) -> None:
    run_in_process("init", directory=tmp_path)
    written = yaml.safe_load((tmp_path / "scenario.yaml").read_text())

    assert {"name", "task", "matrix", "baseline", "target_accuracy"} == set(written)


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("mine")
    done = run_in_process("init", path)

    assert (2, f"liecbench: {path} exists already; give another name, or remove it\n", "mine") == (
        done.returncode,
        done.stderr,
        path.read_text(),
    )


def test_compare_prints_a_table(results: Path) -> None:
    done = run_in_process("compare", results)
    first, _, *lines = done.stdout.splitlines()

    assert (
        done.returncode,
        done.stderr,
        first.split()[:3],
        [line.split()[0] for line in lines[:2]],
    ) == (0, "", ["algorithm", "accuracy", "s/epoch"], ["liec", "ddp"])


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
    tuned = write(
        tmp_path / "tuned",
        run_of("a", slow, task={"learning_rate": 0.1}),
        run_of("b", fast, task={"learning_rate": 0.4}),
    )
    (tuned / "scenario.yaml").write_text("baseline: psgd\n")
    done = run_in_process("compare", tuned, results, "--best", "learning_rate", "--format", "markdown")

    assert done.returncode == 0
    assert "- each method at its best learning_rate: chosen by the accuracy of every other seed" in done.stdout
    assert f"{results}: its scenario asks for another baseline or target than {tuned}'s, used here" in done.stderr


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


def test_compare_takes_several_directories(results: Path, tmp_path: Path) -> None:
    other = write(tmp_path, run_of("p0", algorithm="psgd"))
    done = run_in_process("compare", results, other, "--format", "json")

    assert {"ddp", "liec", "psgd"} == {row["algorithm"] for row in json.loads(done.stdout)["rows"]}


def test_compare_takes_another_baseline(results: Path) -> None:
    done = run_in_process("compare", results, "--baseline", "liec", "--format", "json")

    assert [row["bytes_ratio"]["mean"] for row in json.loads(done.stdout)["rows"]] == [1.0, 0.1]


def test_the_scenarios_baseline_and_target_are_used(tmp_path: Path) -> None:
    # A target is reached when two epochs in a row reach it.
    slow, fast = [{"seconds": 2.0}] * 2, [{"seconds": 1.0}] * 2
    directory = write(tmp_path, run_of("d", slow), run_of("p", fast, algorithm="psgd"))
    (directory / "scenario.yaml").write_text("baseline: psgd\ntarget_accuracy: 0.5\n")
    done = run_in_process("compare", directory, "--format", "json")
    actual = [(row["algorithm"], row["speedup"]["mean"], row["reached"]) for row in json.loads(done.stdout)["rows"]]

    assert actual == [("psgd", 1.0, "1/1"), ("ddp", 0.5, "1/1")]


def test_a_scenarios_baseline_without_results_is_no_error(tmp_path: Path) -> None:
    directory = write(tmp_path, run_of("d"))
    (directory / "scenario.yaml").write_text("baseline: psgd\n")
    done = run_in_process("compare", directory, "--format", "json")

    assert (done.returncode, done.stderr) == (0, "")


def test_failed_cells_are_shown(tmp_path: Path) -> None:
    directory = write(
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
    write(tmp_path)
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


def test_a_closed_pipe_is_no_failure(results: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "liecbench", "compare", results, "--format", "json"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (0, b"")


def test_colour_is_for_terminals_alone(results: Path) -> None:
    piped = run_in_process("compare", results).stdout
    shown = on_a_terminal(["compare", results])

    assert ("\x1b" in piped, COLOUR.search(shown) is not None) == (False, True)


def test_no_color_is_honoured(results: Path) -> None:
    actual = on_a_terminal(["compare", results], NO_COLOR="1")

    assert ("liec" in actual, COLOUR.findall(actual)) == (True, [])


def test_an_unexpected_error_has_an_exit_code_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr("liecbench.cli.app.app", fail)
    done = run_in_process("--help")
    lines = done.stderr.splitlines()

    assert (done.returncode, lines[-2]) == (70, "RuntimeError: out of order")
    assert lines[-1] == "liecbench: unexpected RuntimeError; please report it with the lines above"


INTERRUPTED_IMPORT = """
import os, signal, sys

class InterruptAtTyper:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, InterruptAtTyper())
from liecbench.__main__ import main
main()
"""


def test_an_interruption_during_the_first_imports_prints_no_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
