"""Synthetic ledgers: records with small round values, none computed by the code under test."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.config.cell_keys import digest
from liecbench.results.cells import CellResult, replay
from liecbench.results.comparison import Comparison
from liecbench.results.comparison_of_cells import compare
from liecbench.results.environment_record import Environment
from liecbench.results.ledger import LEDGER_NAME
from liecbench.results.ledger_line import seal
from liecbench.results.record_json import to_json
from liecbench.results.records import End, Epoch, Record, Start, Status
from liecbench.results.rows import Row
from liecbench.results.rows_of_cells import summarise
from liecbench.results.timing_record import Timing

TASK: dict[str, Any] = {
    "dataset": {"name": "digits"},
    "model": {"name": "mlp", "width": 8, "layers": 1},
    "batch_size": 32,
    "epochs": 2,
    "learning_rate": 0.1,
    "schedule": None,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "precision": "fp32",
    "warmup_steps": 0,
}


def spec(algorithm: str = "ddp", *, task: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Return a cell's spec as a ledger holds it; ``changes`` replace its fields, ``task`` those of the task."""
    return {
        "algorithm": {"name": algorithm},
        "compressor": None,
        "server": None,
        "block_bytes": 26214400,
        "workers": 2,
        "link": "20mbit",
        "seed": 0,
        "task": {**TASK, **(task or {})},
        "threads": 1,
        "backend": "gloo",
        "device": "cpu",
        "enforcement": "kernel",
        "timing": "measured",
        **changes,
    }


def start(cell: str, *, attempt: int = 1, epochs_done: int = 0, **fields: Any) -> Start:
    """Return the start of a cell; ``fields`` are those of ``spec``."""
    return Start(
        cell=cell,
        attempt=attempt,
        at="2025-01-01T00:00:00+00:00",
        epochs_done=epochs_done,
        spec=spec(**fields),
        environment=Environment(torch="2.6.0"),
    )


def epoch(
    cell: str,
    number: int = 1,
    *,
    attempt: int = 1,
    seconds: float = 1.0,
    timed: int = 22,
    accuracy: float = 0.5,
    test_loss: float | None = None,
    tokens: int | None = None,
    samples: int | None = None,
    payload: Sequence[int] = (100, 100),
    wire: Sequence[int] | None = None,
    gpu: dict[str, float] | None = None,
) -> Epoch:
    """Return an epoch of 22 steps, of which ``timed`` are timed; every rank receives as many bytes as it sends."""
    return Epoch(
        cell=cell,
        attempt=attempt,
        epoch=number,
        steps=22,
        timed_steps=timed,
        train_loss=1.0 / number,
        test_loss=1.5 / number if test_loss is None else test_loss,
        test_accuracy=accuracy,
        train_seconds=seconds,
        step_seconds={"median": seconds / 22, "p95": seconds / 20},
        compute_seconds=seconds / 2,
        exposed_seconds=seconds / 2,
        compress_seconds=seconds / 8,
        communicate_seconds=seconds / 4,
        payload_bytes={"sent": list(payload), "received": list(payload)},
        wire_bytes=None if wire is None else {"sent": list(wire), "received": list(wire)},
        messages=[22] * len(payload),
        compression_error=None,
        residual_norm=None,
        divergence=0.0,
        cpu_seconds=seconds,
        peak_memory_bytes=1000,
        gpu=gpu,
        tokens=tokens,
        samples=samples,
    )


def end(cell: str, *, attempt: int = 1, status: Status = "completed", error: str | None = None) -> End:
    """Return the end of a cell."""
    return End(cell=cell, attempt=attempt, status=status, error=error)


def timing(
    contestant: str = "c",
    kind: str = "step",
    *,
    seconds: float = 1.0,
    steps: int = 10,
    share: float = 1.0,
    placement: int = 0,
    round_: int = 0,
    order: int = 0,
    setting: str = "s",
    **changes: Any,
) -> Timing:
    """Return a burst of two ranks, half of which is computing; ``changes`` replace its other fields."""
    fields: dict[str, Any] = {
        "compute_seconds": seconds / 2,
        "wire_seconds": seconds / 4,
        "compress_seconds": seconds / 8,
        "other_seconds": seconds / 8,
        "exposed_seconds": seconds / 2,
        "communicate_seconds": seconds / 4,
        "least_communicate_seconds": seconds / 4,
        "data_seconds": 0.0,
        "wire_bytes": None,
        "cpu_seconds": seconds,
        "other_cpu_share": 0.0,
        "peak_memory_bytes": 1000,
        "payload_bytes": {"sent": [steps, steps], "received": [steps, steps]},
        "all_compress_seconds": seconds / 4,
        "step_quantiles": [seconds / steps],
    }
    return Timing(
        setting=setting,
        contestant=contestant,
        kind=kind,
        kind_share=share,
        placement=placement,
        round=round_,
        order=order,
        steps=steps,
        seconds=seconds,
        **{**fields, **changes},
    )


def dilated(record: Record, dilation: float) -> Record:
    """Return a burst whose seconds were divided by ``dilation``; any other record as it is."""
    if not isinstance(record, Timing):
        return record
    return dataclasses.replace(record, dilation=dilation, raw_seconds=dilation * record.seconds)


def run_of(cell: str, epochs: Iterable[dict[str, Any]] = ({},), **fields: Any) -> list[Record]:
    """Return a completed cell: its start, an epoch for each of ``epochs``, its end."""
    trained = [epoch(cell, number, **values) for number, values in enumerate(epochs, start=1)]
    return [start(cell, **fields), *trained, end(cell)]


def run_of_parts(cell: str, compute: float, wire: float, compress: float, other: float, **fields: Any) -> list[Record]:
    """Return a completed cell of one epoch of 22 steps, whose seconds have these parts; all transfer is exposed."""
    trained = dataclasses.replace(
        epoch(cell, seconds=compute + wire + compress + other),
        compute_seconds=compute,
        exposed_wire_seconds=wire,
        exposed_compress_seconds=compress,
        other_seconds=other,
        communicate_seconds=wire,
    )
    return [start(cell, **fields), trained, end(cell)]


def cell_id(**fields: Any) -> str:
    """Return the id of the cell with these fields of ``spec``."""
    return digest(spec(**fields))


def write_ledger(directory: Path, *runs: Iterable[Record]) -> Path:
    """Write the records of these runs to a new ledger in ``directory``, and return the directory.

    Names of cells, such as ``a``, become the ids of their specs. The spec of a completed cell has as many epochs as
    were recorded, that of another cell as many as any cell has.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / LEDGER_NAME).write_text("".join(lines_of(*runs)))
    return directory


def lines_of(*runs: Iterable[Record]) -> list[str]:
    """Return the lines of the ledger that ``write_ledger`` writes, with their line ends."""
    return [f"{seal(to_json(record), number)}\n" for number, record in enumerate(consistent(*runs), start=1)]


def consistent(*runs: Iterable[Record]) -> list[Record]:
    """Return the records of these runs with the ids and numbers of epochs that ``write_ledger`` gives them."""
    return list(_consistent([record for run in runs for record in run]))


def _consistent(records: Sequence[Record]) -> Iterator[Record]:
    completed = {record.cell for record in records if isinstance(record, End) and record.status == "completed"}
    epochs = {record.cell: record.epoch for record in records if isinstance(record, Epoch)}
    most = max([TASK["epochs"], *epochs.values()])
    ids: dict[str, str] = {}
    for record in records:
        if isinstance(record, Timing):
            yield record
            continue
        if isinstance(record, Start):
            known = record.spec
            if known["timing"] == "measured":
                count = epochs[record.cell] if record.cell in completed else most
                known = {**known, "task": {**known["task"], "epochs": count}}
            ids[record.cell] = digest(known)
            record = dataclasses.replace(record, spec=known)
        yield dataclasses.replace(record, cell=ids[record.cell])


def cells_of(*runs: Sequence[Record]) -> list[CellResult]:
    """Return the cells that these runs leave."""
    return list(replay(record for run in runs for record in run).values())


def rows_of(*runs: Sequence[Record], baseline: str = "ddp", target_accuracy: float | None = None) -> list[Row]:
    """Return the rows of these runs."""
    return summarise(cells_of(*runs), baseline=baseline, target_accuracy=target_accuracy)


def comparison_of(*runs: Sequence[Record], baseline: str | BaselineChoice = "ddp", **settings: Any) -> Comparison:
    """Return the comparison of these runs; ``settings`` are those of ``compare``."""
    return compare(cells_of(*runs), baseline=baseline, **settings)
