import contextlib
import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from liecbench.config.cell import Cell
from liecbench.config.loader import load_scenario
from liecbench.results.records import Record
from tests.cli.in_process import run_in_process
from tests.ledgers import run_of, write_ledger

# 64·8 + 8 + 8·10 + 10 = 610 parameters, 2440 bytes; of two ranks each sends 2·(1/2) of them in 1437 // 64 = 22 steps.
SCENARIO = """\
name: small
task: {dataset: digits, model: {name: mlp, width: 8, layers: 1}, batch_size: 32, epochs: 2, learning_rate: 0.1}
matrix:
  algorithm: [ddp, psgd]
  workers: [2, 4]
timing: end_to_end
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    return path


COMMANDS = [
    "run",
    "profile",
    "compare",
    "report",
    "predict",
    "verify",
    "baseline",
    "data",
    "list",
    "doctor",
    "bench",
    "init",
    "schema",
    "check",
]
CHECKS = [f"check {name}" for name in ("results", "scenarios", "revisions", "pythons", "self-test")]


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command(flag: str) -> None:
    done = run_in_process(flag)

    assert (0, "", set()) == (done.returncode, done.stderr, set(COMMANDS) - set(done.stdout.split()))


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("predict", "--ranks-per-node", "x"), "'--ranks-per-node': 'x' is no whole number; write one such as 8"),
        (("predict", "--compress-gbytes-per-second", "2GB"), "'2GB' is no number; write one such as 0.5"),
        (("predict", "--format", "xml"), "'--format': 'xml' is not one of 'table', 'markdown', 'json', 'csv'."),
        (("bench", "link", "--workers", "1"), "'--workers': '1' should be at least 2"),
    ],
)
def test_a_wrong_value_is_named_with_what_to_write(arguments: tuple[str, ...], message: str) -> None:
    assert message in run_in_process(*arguments).stderr


def completed(cell: Cell) -> list[Record]:
    epochs = [{"payload": [100] * cell.workers}] * cell.task.epochs
    return run_of(cell.id, epochs, **{**cell.spec(), "algorithm": cell.algorithm.name})


def test_a_run_with_nothing_left_starts_no_process(scenario: Path) -> None:
    cells = load_scenario(scenario).cells()
    out = write_ledger(scenario.parent / "results", *map(completed, cells))
    before = psutil.Process().children()
    done = run_in_process("run", scenario, "--out", out)

    assert (done.returncode, psutil.Process().children()) == (0, before), done.stderr
    assert done.stderr.startswith(f"{out} exists: 4 of 4 cells are done")


def test_a_dry_run_lists_remaining_cells_and_runs_nothing(scenario: Path) -> None:
    cell = load_scenario(scenario, ["task.epochs=3"]).cells()[1]
    out = write_ledger(scenario.parent / "results" / "small", completed(cell))
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
        ("epochs: 2", f"epochs: {'9' * 5000}", [], "small.yaml:2:90: task.epochs: "),
    ],
    ids=["unknown key", "--set", "endless number"],
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


def test_list_python_prints_calls_that_run() -> None:
    for others in (("scenarios", "--python"), ("algorithms", "--python", "--format", "json")):
        refused = run_in_process("list", *others)
        assert (refused.returncode, "remove --python" in refused.stderr) == (2, True)
    done = run_in_process("list", "algorithms", "--python")

    calls = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert calls["ddp"].split("  ")[0] == "AllReduce(block_bytes=None)"
    assert [part.strip() for part in calls["liec"].split("#")] == [
        "LIEC(block_bytes=26214400, block_order='backward', server='sharded', average_period=32, compressor=Sign(), "
        "rescale_memory=False)",
        "from liecbench.algorithms import LIEC",
    ]
    for call in calls.values():
        expression, _, statement = call.partition("#")
        exec(f"{statement.strip()}\nfrom liecbench.compressors import Sign\n{expression}", {})


def test_list_prints_one_line_per_name() -> None:
    done = run_in_process("list", "algorithms", environment={"COLUMNS": ""})
    names = ["ddp_fp16", "liec", "neolithic", "psgd"]
    listed = [line.split()[0] for line in done.stdout.splitlines()]

    assert (0, "", names) == (done.returncode, done.stderr, [name for name in listed if name in names])
    assert sorted(set(listed)) == listed


def test_schema_prints_that_of_a_profile() -> None:
    done = run_in_process("schema", "--profile")

    assert json.loads(done.stdout)["title"] == "liecbench profile"


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


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            FileNotFoundError(errno.ENOENT, "No such file", "a.csv"),
            2,
            "a.csv: No such file; check the path and its disk",
        ),
        (OSError(errno.ENOSPC, "No space left"), 2, "No space left; check the path and its disk"),
        (OSError(errno.EFBIG, "File too large"), 2, "File too large; check the path and its disk"),
        (OSError(errno.EROFS, "Read-only file system"), 2, "Read-only file system; check the path and its disk"),
        (OSError(errno.EADDRINUSE, "Address already in use"), 70, "unexpected OSError: "),
        (OSError("no interface"), 70, "unexpected OSError: "),
    ],
    ids=["path", "full", "limited", "read-only", "network", "without a number"],
)
def test_only_errors_of_files_and_disks_are_usage_errors(
    error: OSError, code: int, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr("liecbench.cli.app.app", fail)
    done = run_in_process("--help", environment={"XDG_STATE_HOME": str(tmp_path)})

    assert (code, True) == (done.returncode, done.stderr.splitlines()[-1].startswith(f"liecbench: {message}"))


@pytest.mark.parametrize("error", [BrokenPipeError(errno.EPIPE, "Broken pipe"), EOFError()], ids=["pipe", "input"])
def test_what_typer_ends_with_1_does_not_mean_a_regression(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("liecbench.config.json_schema.scenario_schema", fail)
    monkeypatch.setattr("liecbench.cli.app.ignore_broken_pipe", contextlib.nullcontext)

    assert run_in_process("schema").returncode == 70


def test_a_dependency_that_cannot_be_imported_is_an_unexpected_error(tmp_path: Path) -> None:
    command = "import sys; sys.modules['typer'] = None; from liecbench.__main__ import main; main()"
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, "please report it" in done.stderr) == (70, True)


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


def test_a_dry_run_and_lists_are_printed_as_json(tmp_path: Path) -> None:
    lines = json.loads(run_in_process("run", "quickstart", "--dry-run", "--format", "json", directory=tmp_path).stdout)
    methods = json.loads(run_in_process("list", "algorithms", "--format", "json").stdout)
    scenarios = json.loads(run_in_process("list", "scenarios", "--format", "json").stdout)
    diagnostics = json.loads(run_in_process("doctor", "--format", "json").stdout)

    assert lines["dry_run"][0].startswith("50 cells")
    (liec,) = [one for one in methods if one["name"] == "liec"]
    assert (liec["options"]["average_period"], liec["required"]) == (32, [])
    assert "quickstart" in [one["name"] for one in scenarios]
    assert {"name", "works", "seen", "remedy"} == diagnostics[0].keys()
