from pathlib import Path

from liecbench.config.cell import Cell
from liecbench.config.jobs import Contestant, Job, Session
from liecbench.config.own_code import CodeFile, Part, code_files
from liecbench.results.ledger import Ledger
from liecbench.results.ledger_reader import read
from liecbench.results.records import Start
from liecbench.worker.event_writer import RecordWriter
from liecbench.worker.session_records import record_starts
from tests.ledgers import spec


def test_a_timed_cell_has_the_code_that_trained_its_losses(tmp_path: Path) -> None:
    cells = [
        Cell.from_spec(spec(timing="interleaved", seed=seed, task={"model": {"name": "tests.own_tasks:linear"}}))
        for seed in (0, 1)
    ]
    trained: dict[Part, CodeFile] = {"model": CodeFile(module="tests.own_tasks", sha256="0" * 64)}
    jobs = (Job(cell=cells[0], code=trained), Job(cell=cells[1]))  # the second's training recorded no code
    session = Session(contestants=(Contestant(cell=cells[0], jobs=jobs),), precision=0.02)

    writer = RecordWriter(Ledger(tmp_path), tmp_path / "events")
    with writer._events:  # a rank keeps it open until it ends
        record_starts(session, {}, writer)

    starts = [record for record in read(tmp_path) if isinstance(record, Start)]
    assert [start.environment.code for start in starts] == [trained, code_files(cells[1])]
    assert trained != code_files(cells[1])
