from collections.abc import Sequence

import pytest

from liecbench.config.cell import Cell
from liecbench.estimate.dry_run_notes import notes
from liecbench.host import cgroups
from liecbench.launch.pending import Pending, jobs_left
from liecbench.results.records import Record
from tests.break_even_ledger import timed, trained
from tests.ledgers import cells_of, spec


def on_two_cores(pending: Pending, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the notes on shared cores of a machine with two cores."""
    monkeypatch.setattr(cgroups, "num_cpus", lambda: 2)
    return [note for note in notes(pending) if "cores" in note]


def left(cells: Sequence[Cell], *done: Record) -> Pending:
    return jobs_left(cells, {one.id: one for one in cells_of(done)})


@pytest.mark.parametrize(
    ("timing", "compute", "during", "consequence"),
    [
        ("end_to_end", "measured", "in training and timing", "; on machines of their own they would not"),
        ("interleaved", "measured", "in training and timing", "; on machines of their own they would not"),
        ("interleaved", "replayed", "in training", "; timing is replayed, and not affected"),
    ],
)
def test_the_note_on_shared_cores_says_which_times_it_concerns(
    monkeypatch: pytest.MonkeyPatch, timing: str, compute: str, during: str, consequence: str
) -> None:
    cells = [Cell.from_spec(spec(workers=5, timing=timing, compute=compute, seed=seed)) for seed in (0, 1)]

    assert on_two_cores(left(cells), monkeypatch) == [
        f"note: {during}, 5 workers share 2 cores, so each computes 2.5 times as long as alone{consequence}"
    ]


def test_only_training_is_named_if_nothing_is_left_to_time(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (Cell.from_spec(spec(workers=4, timing="interleaved", compute="replayed", seed=s)) for s in (0, 1))
    pending = left([first, second], *trained(first), *timed(first))

    assert on_two_cores(pending, monkeypatch) == [
        "note: in training, 4 workers share 2 cores, so each computes 2 times as long as alone"
    ]


def test_workers_that_only_sleep_share_no_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = Cell.from_spec(spec(workers=4, timing="interleaved", compute="replayed"))

    assert on_two_cores(left([cell], *trained(cell)), monkeypatch) == []
