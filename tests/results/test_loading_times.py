"""Epoch seconds that include the loading of batches."""

import dataclasses
import json
from pathlib import Path

import pytest

from liecbench.results.loading_times import with_loading
from liecbench.results.records import Epoch, Record
from liecbench.results.timing_record import Timing
from tests.cli.in_process import run_in_process
from tests.ledgers import cells_of, dilated, run_of, run_of_parts, timing, write_ledger


def loading(records: list[Record], seconds: float) -> list[Record]:
    return [dataclasses.replace(one, data_seconds=seconds) if isinstance(one, Epoch) else one for one in records]


def test_loading_becomes_part_of_the_other_seconds_of_an_epoch() -> None:
    (cell,) = cells_of(loading(run_of_parts("a", 1.0, 2.0, 3.0, 4.0), 0.5))
    found = with_loading(cell).epochs[0]

    assert (found.train_seconds, found.other_seconds, found.data_seconds) == (10.5, 4.5, 0.0)
    assert (found.compute_seconds, found.exposed_wire_seconds, found.exposed_compress_seconds) == (1.0, 2.0, 3.0)
    assert cell.epochs[0].train_seconds == 10.0


@pytest.mark.parametrize(("dilation", "raw"), [(1, None), (4, 5.0)])
def test_loading_becomes_part_of_a_burst(dilation: int, raw: float | None) -> None:
    burst = timing(seconds=1.0, data_seconds=0.25)
    slowed = burst if dilation == 1 else dilated(burst, dilation)
    assert isinstance(slowed, Timing)
    (cell,) = cells_of(run_of("a"))
    cell.timings = (slowed,)
    found = with_loading(cell).timings[0]

    assert (found.seconds, found.other_seconds, found.raw_seconds) == (1.25, 0.375, raw)


def test_a_comparison_says_that_it_includes_loading(tmp_path: Path) -> None:
    runs = [
        loading(run_of(name, [{"seconds": seconds}], algorithm=name), 1.0)
        for name, seconds in (("ddp", 3.0), ("liec", 1.0))
    ]
    results = write_ledger(tmp_path / "results", *runs)
    (results / "scenario.yaml").write_text("baseline: ddp\n")
    rows = {}
    for option in ([], ["--with-loading"]):
        told = run_in_process("compare", results, "--format", "json", *option)
        assert told.returncode == 0, told.stderr
        rows[len(option)] = {row["algorithm"]: row for row in json.loads(told.stdout)["rows"]}
    table = run_in_process("compare", results, "--with-loading")

    assert [rows[0][name]["seconds_per_epoch"]["mean"] for name in ("ddp", "liec")] == [3.0, 1.0]
    assert [rows[1][name]["seconds_per_epoch"]["mean"] for name in ("ddp", "liec")] == [4.0, 2.0]
    assert [rows[number]["liec"]["speedup"]["mean"] for number in (0, 1)] == pytest.approx([3.0, 2.0])
    assert "s/epoch includes the seconds in which ranks load and augment batches" in table.stdout
