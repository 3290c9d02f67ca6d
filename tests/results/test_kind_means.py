"""Epochs composed of a trajectory and of timed bursts."""

import dataclasses
import math
from typing import Any

import pytest

from liecbench.config.cell import Cell
from liecbench.results.cells import CellResult, replay, without_used_trajectories
from liecbench.results.environment_record import Environment
from liecbench.results.record_json import from_json, to_json
from liecbench.results.records import Epoch, Record
from liecbench.results.rows_of_cells import summarise
from liecbench.results.statistics import Estimate
from liecbench.results.timing_record import Timing
from liecbench.results.warnings import emulator_warnings, precision_warnings
from tests.ledgers import end, epoch, spec, start, timing

CELL = Cell.from_spec(spec("liec", timing="interleaved"))
TRAJECTORY = CELL.trajectory


def begun(cell: Cell) -> Record:
    return dataclasses.replace(start(cell.id), spec=cell.spec())


def trained(number: int, **kinds: int) -> Epoch:
    untimed = epoch(TRAJECTORY.id, number, timed=0, seconds=0.0, payload=(900, 700))
    return dataclasses.replace(untimed, step_kinds=kinds, step_seconds=None)


def burst(kind: str, seconds: float, steps: int, **fields: Any) -> Timing:
    return timing(CELL.contestant, kind, seconds=seconds, steps=steps, setting=CELL.setting, **fields)


# Two rounds: compressed steps take 0.1 and 0.3 s, averaging steps 1 and 2 s.
BURSTS = [
    burst("compressed", 1.0, 10, share=0.75, wire_bytes={"sent": [100, 200], "received": [200, 100]}),
    burst("averaging", 2.0, 2, share=0.25, wire_bytes={"sent": [400, 400], "received": [400, 400]}),
    burst("compressed", 1.5, 5, share=0.75, round_=1, wire_bytes={"sent": [50, 100], "received": [100, 50]}),
    burst("averaging", 4.0, 2, share=0.25, round_=1, wire_bytes={"sent": [400, 400], "received": [400, 400]}),
]
RECORDS = [
    begun(TRAJECTORY),
    trained(1, compressed=20, averaging=2),
    trained(2, compressed=21, averaging=1),
    end(TRAJECTORY.id),
    begun(CELL),
    *BURSTS,
    end(CELL.id),
]


def composed(*records: Record) -> CellResult:
    return replay(records)[CELL.id]


def test_an_epochs_seconds_are_counts_times_means() -> None:
    first, second = composed(*RECORDS).epochs

    assert (first.train_seconds, second.train_seconds) == pytest.approx((20 * 0.2 + 2 * 1.5, 21 * 0.2 + 1.5))
    assert (first.compute_seconds, first.exposed_seconds) == pytest.approx((3.5, 3.5))
    assert (first.timed_steps, first.cell) == (22, CELL.id)


def test_an_epochs_wire_bytes_are_counts_times_means() -> None:
    first, _ = composed(*RECORDS).epochs

    assert first.wire_bytes == {"sent": [20 * 10 + 2 * 200, 20 * 20 + 2 * 200], "received": [800, 600]}


def test_losses_accuracies_and_payload_are_the_trajectorys() -> None:
    kept = ("train_loss", "test_loss", "test_accuracy", "payload_bytes", "messages", "steps", "epoch", "divergence")
    cells = replay(RECORDS)
    for ours, theirs in zip(cells[CELL.id].epochs, cells[TRAJECTORY.id].epochs, strict=True):
        assert [getattr(ours, name) for name in kept] == [getattr(theirs, name) for name in kept]


def test_the_long_run_has_whole_periods() -> None:
    long_run = composed(*RECORDS).long_run

    assert long_run is not None
    assert long_run.train_seconds == pytest.approx(22 * (0.75 * 0.2 + 0.25 * 1.5))


def test_the_long_runs_payload_is_that_of_bursts() -> None:
    counted = [
        dataclasses.replace(one, payload_bytes={"sent": [one.steps * size] * 2, "received": [0, one.steps * size]})
        for one, size in zip(BURSTS, (8, 80, 8, 80), strict=True)
    ]
    long_run = composed(*RECORDS[:5], *counted, end(CELL.id)).long_run

    assert long_run is not None
    assert long_run.payload_bytes == {"sent": [22 * 26] * 2, "received": [0, 22 * 26]}


def test_quantiles_are_those_of_single_steps_weighted_by_kind() -> None:
    bursts = [
        dataclasses.replace(one, step_quantiles=[one.seconds / one.steps * f for f in (0.5, 1.5)]) for one in BURSTS
    ]
    first, second = composed(*RECORDS[:5], *bursts, end(CELL.id)).epochs

    # Of 22 steps 20 are compressed, a quarter of them 0.05, 0.15, 0.15 and 0.45 s; averaging steps take 0.5 to 3 s.
    assert pytest.approx({"median": 0.15, "p95": 1.0}) == first.step_seconds
    assert pytest.approx({"median": 0.15, "p95": 0.45}) == second.step_seconds


def test_a_cell_without_all_kinds_has_no_epochs() -> None:
    cell = composed(*RECORDS[:5], BURSTS[0], end(CELL.id))

    assert (cell.epochs, cell.status, len(cell.timings)) == ([], "unfinished", 1)


def test_seeds_share_the_timings() -> None:
    other = CELL.model_copy(update={"seed": 1})
    more = [begun(other.trajectory), dataclasses.replace(trained(1, compressed=22), cell=other.trajectory.id)]
    cells = replay([*RECORDS, *more, end(other.trajectory.id), begun(other), end(other.id)])

    assert cells[other.id].timings == cells[CELL.id].timings
    assert [e.train_seconds for e in cells[other.id].epochs] == pytest.approx([22 * 0.2])


def test_trajectories_are_no_results_once_they_are_used() -> None:
    alone = without_used_trajectories(list(replay(RECORDS[:4]).values()))
    used = without_used_trajectories(list(replay(RECORDS).values()))

    assert ([cell.id for cell in alone], [cell.id for cell in used]) == ([TRAJECTORY.id], [CELL.id])


def test_a_trajectorys_seconds_are_null_in_the_ledger() -> None:
    record = trained(1, compressed=22)
    line = to_json(record)

    assert '"train_seconds": null' in line
    assert '"cpu_seconds": null' in line
    assert from_json(line) == record


def test_a_rows_costs_are_those_of_the_long_run() -> None:
    counted = [dataclasses.replace(one, payload_bytes={"sent": [one.steps] * 2, "received": [0, 0]}) for one in BURSTS]
    (row,) = summarise([composed(*RECORDS[:5], *counted, end(CELL.id))])
    names = ("seconds_per_epoch", "compute_seconds_per_epoch", "payload_bytes_per_epoch", "wire_bytes_per_epoch")
    actual = [estimate.mean for name in names if (estimate := row.metrics[name])]

    # 22 steps, three quarters of which take 0.2 s and move 10 + 20 bytes on average, a quarter 1.5 s and 200 + 200.
    assert actual == pytest.approx([11.55, 5.775, 22.0, 22 * (0.75 * 30 + 0.25 * 400)])


def test_a_rows_compute_utilization_has_an_interval_from_the_rounds() -> None:
    (row,) = summarise([composed(*RECORDS)])

    # Half of both rounds computes. One placement is known to 2.5 %, with two degrees of freedom: a t of 4.303.
    half_width = 4.303 * 0.025
    found = row.metrics["compute_utilization"]
    assert found is not None
    assert (found.mean, found.low, found.high) == pytest.approx(
        (0.5, 0.5 * math.exp(-half_width), 0.5 * math.exp(half_width)), rel=1e-4
    )


def test_an_imprecise_speed_up_is_a_warning() -> None:
    cell = composed(*RECORDS)
    cell.environment = Environment(timing_precision=0.02)

    assert precision_warnings([cell], Estimate(mean=2.0, low=1.8, high=2.2)) == [
        "its speed-up is uncertain by ±10% of its value (95% interval after 2 rounds), and "
        "timing_precision asked for ±2%"
    ]
    (warning,) = precision_warnings([cell], Estimate(mean=2.0, low=1.948, high=2.052))
    assert "is uncertain by ±2.6% of its value" in warning
    assert precision_warnings([cell], Estimate(mean=2.0, low=1.97, high=2.03)) == []
    assert precision_warnings([cell], None) == []


def emulated(cell: Cell, emulator: str | None) -> Record:
    link = {"enforcement": "kernel", "asked": "20mbit", **({"emulator": emulator} if emulator else {})}
    return dataclasses.replace(start(cell.id), spec=cell.spec(), environment=Environment.of({"link": link}))


def test_rounds_of_several_emulators_are_a_warning() -> None:
    # The record of an earlier version does not say what emulated the link: the kernel's token bucket did.
    cell = composed(*RECORDS[:4], emulated(CELL, None), *BURSTS, emulated(CELL, "delay_line"), *BURSTS, end(CELL.id))
    trained_on = {
        name: composed(*RECORDS[:4], emulated(CELL, name), *BURSTS, end(CELL.id)) for name in ("tbf", "delay_line")
    }
    remedy = ": times differ between these; run the scenario in a new directory with one of them (emulator)"

    assert emulator_warnings([cell], []) == [f"its links were emulated by delay_line and tbf by turns{remedy}"]
    assert emulator_warnings([trained_on["tbf"]], [trained_on["delay_line"]]) == [
        f"its links were emulated by tbf, the baseline's by delay_line{remedy}"
    ]
    assert emulator_warnings([trained_on["tbf"]], [trained_on["tbf"]]) == []
    assert emulator_warnings([composed(*RECORDS)], [trained_on["tbf"]]) == []
