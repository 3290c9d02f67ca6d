"""Exports, read back with the packages of the tools themselves where they are installed."""

import csv
import importlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cli.in_process import run_in_process
from tests.ledgers import end, run_of, start, write_ledger

MISSING: Final = "the extra liecbench[export] is not installed"
ERROR: Final = "lost <b>\x1b[31m"
EPOCHS: Final = [
    {"seconds": 2.0, "accuracy": 0.25, "payload": (30, 50)},
    {"seconds": 1.0, "accuracy": 0.75, "payload": (30, 50)},
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two methods, one twice as fast as the other, of a failed cell, and of one that has just begun."""
    return write_ledger(
        tmp_path_factory.mktemp("results"),
        run_of("d", [{"seconds": 4.0}, {"seconds": 2.0}]),
        run_of("l", EPOCHS, algorithm="liec", compressor={"name": "sign"}),
        [start("f", algorithm="psgd"), end("f", status="failed", error=ERROR)],
        [start("u", algorithm="csgd")],
    )


def exported(results: Path, tool: str, directory: Path) -> str:
    """Export and return what the command says."""
    done = run_in_process("export", results, "--to", tool, "-o", directory)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return done.stderr


def test_tensorboard_reads_every_epoch_and_metric(results: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason=MISSING)
    accumulator = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    said = exported(results, "tensorboard", tmp_path)
    (path,) = tmp_path.glob("liec-*")
    events = accumulator.EventAccumulator(str(path)).Reload()

    assert f"wrote 4 runs to {tmp_path}; next: tensorboard --logdir {tmp_path}" in said
    assert [(one.step, one.value) for one in events.Scalars("test_accuracy")] == [(1, 0.25), (2, 0.75)]
    assert [one.value for one in events.Scalars("payload_bytes")] == [80.0, 80.0]  # both ways, mean over ranks
    assert [one.value for one in events.Scalars("final/speedup")] == [2.0]
    assert "_hparams_/session_start_info" in events.PluginTagToContent("hparams")
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_mlflow_reads_every_epoch_and_metric(results: Path, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason=MISSING)
    pytest.importorskip("sqlalchemy", reason=MISSING)
    exported(results, "mlflow", tmp_path)
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("liecbench")
    runs = {run.data.params["algorithm"]: run for run in client.search_runs([experiment.experiment_id])}
    liec = runs["liec"]
    history = client.get_metric_history(liec.info.run_id, "train_seconds")

    assert [(one.step, one.value) for one in history] == [(1, 2.0), (2, 1.0)]
    assert liec.data.metrics["final/speedup"] == 2.0
    assert (liec.info.run_name, liec.data.params["workers"]) == ("liec, seed 0", "2")
    assert {name: run.info.status for name, run in runs.items()} == {
        "ddp": "FINISHED",
        "liec": "FINISHED",
        "psgd": "FAILED",
        "csgd": "RUNNING",
    }
    assert runs["psgd"].data.params["error"] == r"lost <b>\u001b[31m"


def test_weights_and_biases_has_an_offline_run_of_every_cell(results: Path, tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason=MISSING)
    Record = importlib.import_module("wandb.proto.wandb_internal_pb2").Record  # noqa: N806 - a class
    said = exported(results, "wandb", tmp_path)
    runs = {}
    for path in tmp_path.glob("wandb/offline-run-*/*.wandb"):
        records = [Record.FromString(data) for data in _log_records(path.read_bytes())]
        (run,) = [one.run for one in records if one.WhichOneof("record_type") == "run"]
        runs[run.display_name] = (run, records)
    run, records = runs["liec, seed 0"]
    history = [one.history.item for one in records if one.WhichOneof("record_type") == "history"]
    rows = [{item.key or item.nested_key[0]: json.loads(item.value_json) for item in items} for items in history]
    summary: dict[str, Any] = {}
    for one in records:
        if one.WhichOneof("record_type") == "summary":
            summary |= {item.key or item.nested_key[0]: json.loads(item.value_json) for item in one.summary.update}

    assert f"next: wandb sync {tmp_path}/wandb/offline-run-*" in said
    assert len(runs) == 4
    assert [(row["_step"], row["test_accuracy"], row["train_seconds"]) for row in rows] == [
        (1, 0.25, 2.0),
        (2, 0.75, 1.0),
    ]
    assert summary["final/speedup"] == 2.0
    config = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in run.config.update}
    assert (config["algorithm"], config["workers"]) == ("liec", 2)


def _log_records(data: bytes) -> Iterator[bytes]:
    """Yield the records of a .wandb file: LevelDB's log format, in blocks of 32 KiB, after a header of 7 bytes."""
    place, block, parts = 7, 2**15, b""
    while place + 7 <= len(data):
        left = block - place % block
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            yield parts
            parts = b""


def test_a_spreadsheet_has_every_epoch(results: Path, tmp_path: Path) -> None:
    exported(results, "csv", tmp_path / "new")
    rows = list(csv.DictReader((tmp_path / "new" / "epochs.csv").read_text().splitlines()))
    compared = (tmp_path / "new" / "rows.csv").read_text()

    assert [(row["algorithm"], row["epoch"], row["train_seconds"]) for row in rows if row["algorithm"] == "liec"] == [
        ("liec", "1", "2.0"),
        ("liec", "2", "1.0"),
    ]
    assert compared == run_in_process("compare", results, "--format", "csv").stdout


def test_a_directory_that_is_not_empty_is_refused(results: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    done = run_in_process("export", results, "--to", "csv", "-o", tmp_path)

    assert (done.returncode, "exists and is not empty; give a new directory with -o" in done.stderr) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("tool", ["tensorboard", "wandb", "mlflow"])
def test_a_missing_package_is_named_with_a_remedy(
    tool: str, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(importlib.import_module("sys").modules, f"liecbench.export.{tool}_runs", raising=False)
    for package in ("tensorboard", "wandb", "mlflow", "sqlalchemy"):
        monkeypatch.setitem(importlib.import_module("sys").modules, package, None)
    done = run_in_process("export", results, "--to", tool, "-o", tmp_path / "none")

    assert (done.returncode, "pip install 'liecbench[export]'" in done.stderr) == (2, True)
    assert not (tmp_path / "none").exists()


def test_what_is_no_results_directory_is_an_error(tmp_path: Path) -> None:
    done = run_in_process("export", tmp_path, "--to", "csv", "-o", tmp_path / "none")

    assert (done.returncode, (tmp_path / "none").exists()) == (2, False)
