import dataclasses
from typing import Any

import pytest

from liecbench.config.cell import Cell
from liecbench.config.own_code import CodeFile, Part
from liecbench.launch.pending import Pending, jobs_left, settled
from liecbench.results.cells import replay
from liecbench.results.environment_record import Environment
from liecbench.results.records import Record, Start
from tests.ledgers import end, epoch, spec, start, timing


def cell(algorithm: str = "ddp", **changes: Any) -> Cell:
    return Cell.from_spec(spec(algorithm, **{"timing": "interleaved", **changes}))


def begun(one: Cell, **fields: Any) -> Record:
    return dataclasses.replace(start(one.id, **fields), spec=one.spec())


def trained(one: Cell, status: Any = "completed") -> list[Record]:
    """Return the records of the trajectory of an interleaved cell."""
    epochs = [epoch(one.trajectory.id, number, timed=0, seconds=0.0) for number in range(1, one.task.epochs + 1)]
    made = [dataclasses.replace(trained, step_kinds={"step": 22}) for trained in epochs]
    return [
        begun(one.trajectory),
        *made,
        end(one.trajectory.id, status=status, error="e" if status != "completed" else None),
    ]


def timed(one: Cell) -> list[Record]:
    burst = timing(one.contestant, setting=one.setting)
    return [begun(one), burst, end(one.id)]


def contestants(pending: Pending) -> list[list[tuple[str, int]]]:
    """Return, for each session, the algorithm of each contestant and the number of its cells."""
    return [[(c.cell.algorithm.name, len(c.jobs)) for c in session.contestants] for session in pending.sessions]


def test_cells_that_are_timed_in_training_have_jobs_only() -> None:
    cells = [cell(timing="end_to_end", link=link) for link in ("10mbit", "20mbit")]
    pending = jobs_left(cells, {})

    assert ([job.cell for job in pending.jobs], pending.sessions) == (cells, ())


def test_seeds_are_outermost_and_methods_in_an_order_of_their_own_for_each_seed() -> None:
    methods = ("a", "b", "c", "d", "e", "f")
    cells = [cell(name, timing="end_to_end", seed=seed) for name in methods for seed in range(3)]
    jobs = jobs_left(cells, {}).jobs
    orders = [[job.cell.algorithm.name for job in jobs[first : first + 6]] for first in (0, 6, 12)]

    assert [job.cell.seed for job in jobs] == [0] * 6 + [1] * 6 + [2] * 6
    assert [sorted(order) for order in orders] == [list(methods)] * 3
    assert len({tuple(order) for order in orders}) == 3


def test_all_links_share_a_trajectory_and_each_has_a_session() -> None:
    cells = [
        cell(name, link=link, seed=seed) for name in ("psgd", "ddp") for link in ("10mbit", "20mbit") for seed in (0, 1)
    ]
    pending = jobs_left(cells, {})

    assert [(job.cell.algorithm.name, str(job.cell.link), job.cell.seed) for job in pending.jobs] == [
        ("psgd", "none", 0),
        ("psgd", "none", 1),
        ("ddp", "none", 0),
        ("ddp", "none", 1),
    ]
    assert [str(session.cell.link) for session in pending.sessions] == ["10mbit", "20mbit"]
    assert contestants(pending) == [[("ddp", 2), ("psgd", 2)]] * 2
    assert pending.cells == {one.id for one in cells}


def test_a_contestant_that_comes_later_is_timed_with_the_baseline() -> None:
    old, new = [cell("ddp"), cell("psgd")], cell("memsgd")
    records = [record for one in old for record in (*trained(one), *timed(one))]
    pending = jobs_left([*old, new], replay(records))

    assert [job.cell.algorithm.name for job in pending.jobs] == ["memsgd"]
    assert contestants(pending) == [[("ddp", 0), ("memsgd", 1)]]


def test_a_seed_that_comes_later_needs_training_only() -> None:
    old, new = cell(), cell(seed=1)
    records = [*trained(old), *timed(old)]
    pending = jobs_left([old, new], replay(records))

    assert ([job.cell for job in pending.jobs], pending.sessions) == ([new.trajectory], ())
    assert list(settled([old, new], replay(records))) == []
    (done,) = settled([old, new], replay([*records, *trained(new)]))
    assert (done.job.cell, done.status, done.error) == (new, "completed", None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [("diverged", ("diverged", "as its trajectory did: e")), ("failed", ("failed", "its training failed: e"))],
)
def test_a_cell_ends_as_its_trajectory_did(status: Any, expected: tuple[str, str]) -> None:
    one = cell()
    (ended,) = settled([one], replay(trained(one, status)))

    assert (ended.status, ended.error) == expected


def test_a_contestant_that_diverged_with_every_seed_is_not_timed() -> None:
    cells = [cell("ddp"), cell("psgd", seed=0), cell("psgd", seed=1), cell("memsgd", seed=0), cell("memsgd", seed=1)]
    statuses = ["completed", "diverged", "diverged", "diverged", "completed"]
    records = [record for one, status in zip(cells, statuses, strict=True) for record in trained(one, status)]

    assert contestants(jobs_left(cells, replay(records))) == [[("ddp", 1), ("memsgd", 1)]]


def test_a_trajectory_that_failed_is_trained_again() -> None:
    one = cell()
    (job,) = jobs_left([one], replay(trained(one, "failed"))).jobs

    assert (job.cell, job.attempt, job.epochs_done) == (one.trajectory, 2, 2)


def test_a_session_that_was_lost_is_repeated() -> None:
    one, other = cell(), cell("psgd")
    records = [*trained(one), *trained(other), begun(one), begun(other), *timed(one)[1:2]]
    pending = jobs_left([one, other], replay(records))

    assert (pending.jobs, contestants(pending)) == ((), [[("ddp", 1), ("psgd", 1)]])
    assert [job.attempt for job in pending.sessions[0].jobs] == [2, 2]


def test_a_finer_precision_needs_more_rounds() -> None:
    one, other = cell(), cell("psgd")
    records = [record for each in (one, other) for record in (*trained(each), *timed(each))]
    found = replay(records)
    for each in (one, other):
        found[each.id].environment = Environment(timing_precision=0.02)

    assert contestants(jobs_left([one, other], found, precision=0.05)) == []
    assert contestants(jobs_left([one, other], found, precision=0.01)) == [[("ddp", 1), ("psgd", 1)]]
    assert list(settled([one, other], found, precision=0.01)) == []


def test_a_copy_with_another_field_has_another_id() -> None:
    one = cell()
    before = one.id
    copy = one.model_copy(update={"seed": 5})

    assert (before, True) == (one.id, copy.id != before)
    assert Cell.from_spec(copy.spec()).id == copy.id


def timed_only(algorithm: str = "ddp", **changes: Any) -> Cell:
    sha256 = "0123456789abcdef" * 4
    fields = spec(algorithm, **{"timing": "interleaved", "compute": "replayed", "profile": sha256, **changes})
    return Cell.from_spec({**fields, "task": {"profile": sha256}})


def test_cells_of_a_profile_have_sessions_and_no_training() -> None:
    cells = [timed_only(name, link=link) for name in ("psgd", "ddp") for link in ("10mbit", "20mbit")]
    pending = jobs_left(cells, {})

    assert pending.jobs == ()
    assert contestants(pending) == [[("ddp", 1), ("psgd", 1)]] * 2
    assert list(settled(cells, {})) == []


def test_cells_of_a_profile_that_were_timed_are_done_and_others_go_on_with_the_baseline() -> None:
    old, new = [timed_only("ddp"), timed_only("psgd")], timed_only("memsgd")
    done = replay(record for one in old for record in timed(one))

    assert {found.status for found in done.values()} == {"completed"}
    assert jobs_left(old, done) == Pending()
    assert contestants(jobs_left([*old, new], done)) == [[("ddp", 0), ("memsgd", 1)]]


def test_a_cell_of_a_profile_that_was_timed_with_another_seed_needs_no_session() -> None:
    first, second = timed_only(seed=0), timed_only(seed=1)
    done = replay(timed(first))

    assert [(one.job.cell, one.status) for one in settled([first, second], done)] == [(second, "completed")]


def test_a_training_that_goes_on_keeps_the_hashes_of_its_code() -> None:
    one = cell(timing="end_to_end")
    code: dict[Part, CodeFile] = {"algorithm": CodeFile(module="my_methods", sha256="0" * 64)}
    begin = begun(one)
    assert isinstance(begin, Start)
    begin = dataclasses.replace(begin, environment=Environment(code=code))
    (job,) = jobs_left([one], replay([begin, epoch(one.id, 1)])).jobs

    assert (job.epochs_done, job.code) == (1, code)


def test_a_timed_cell_keeps_the_code_of_its_training() -> None:
    one, other = cell(), cell(seed=1)
    old: dict[Part, CodeFile] = {"model": CodeFile(module="own", sha256="0" * 64)}
    new: dict[Part, CodeFile] = {"model": CodeFile(module="own", sha256="1" * 64)}
    (trained_one, *rest), (trained_other, *others) = trained(one), trained(other)
    assert isinstance(trained_one, Start)
    assert isinstance(trained_other, Start)
    first = [dataclasses.replace(trained_one, environment=Environment(code=old)), *rest]
    second = [dataclasses.replace(trained_other, environment=Environment(code=new)), *others]
    (session,) = jobs_left([one], replay(first)).sessions
    (done,) = settled([one, other], replay([*first, *timed(one), *second]))

    assert [job.code for job in session.jobs] == [old]
    assert (done.job.cell, done.environment.code) == (other, new)
