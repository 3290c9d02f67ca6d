import pytest

from liecbench.config.cell import Cell
from liecbench.config.loader import check
from liecbench.config.scenario import Scenario
from liecbench.config.yaml_source import parse
from liecbench.launch.pending import jobs_left
from liecbench.results.cells import replay
from liecbench.results.records import Record
from tests.ledgers import end, epoch, start

TEXT = """\
name: example
timing: end_to_end
task: {dataset: digits, model: mlp, batch_size: 32, epochs: 2, learning_rate: 0.1}
matrix:
  algorithm: [ddp, {name: liec, average_period: 8}]
  compressor: [sign]
  workers: [2, 4]
  link: [none, {up: 10mbit, down: 20mbit}]
"""


def scenario(text: str = TEXT) -> Scenario:
    return check(parse(text, "s.yaml"))


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return scenario().cells()


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], (1, 0)),
        (["start"], (2, 0)),
        (["start", "epoch"], (2, 1)),
        (["start", "epoch", "failed"], (2, 1)),
        (["start", "failed"], (2, 0)),
        (["start", "epoch", "completed"], None),
        (["start", "diverged"], None),
    ],
    ids=str,
)
def test_a_cell_is_resumed_unless_it_is_final(
    cells: list[Cell], records: list[str], expected: tuple[int, int] | None
) -> None:
    cell = cells[0].id
    made: dict[str, Record] = {
        "start": start(cell),
        "epoch": epoch(cell),
        "completed": end(cell),
        "failed": end(cell, status="failed", error="lost"),
        "diverged": end(cell, status="diverged", error="not finite"),
    }
    jobs = jobs_left(cells[:1], replay(made[name] for name in records)).jobs

    assert ([] if expected is None else [expected]) == [(job.attempt, job.epochs_done) for job in jobs]


def test_finished_cells_are_left_out(cells: list[Cell]) -> None:
    over: list[Record] = [start(cells[2].id), epoch(cells[2].id), end(cells[2].id)]
    jobs = jobs_left(cells, replay(over)).jobs

    assert {cell.id for cell in cells if cell != cells[2]} == {job.cell.id for job in jobs}
