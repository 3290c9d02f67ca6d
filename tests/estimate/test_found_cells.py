import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from liecbench.config.cell import Cell
from liecbench.estimate.found_cells import found_lines
from liecbench.launch.pending import jobs_left
from liecbench.results.environment_record import Environment
from liecbench.results.records import Record, Start
from tests.break_even_ledger import begun, timed, trained
from tests.ledgers import cells_of, end, epoch, spec


def interleaved(algorithm: str = "ddp", **changes: Any) -> Cell:
    return Cell.from_spec(spec(algorithm, **{"timing": "interleaved", "link": "10mbit", **changes}))


def end_to_end(seed: int, *, epochs: int = 3) -> Cell:
    return Cell.from_spec(spec(seed=seed, task={"epochs": epochs}))


def lines(cells: Sequence[Cell], *done: Record) -> list[str]:
    found = {one.id: one for one in cells_of(done)}
    return [line.strip() for line in found_lines(cells, found, jobs_left(cells, found))]


def failed(one: Cell) -> list[Record]:
    return [begun(one), end(one.id, status="failed", error="a rank died")]


def test_nothing_is_said_of_an_empty_directory() -> None:
    assert lines([interleaved(), end_to_end(0)]) == []


def test_cells_are_named_with_what_is_there_of_them() -> None:
    first, second, third = (interleaved(link=link) for link in ("10mbit", "20mbit", "50mbit"))
    other = interleaved("psgd")
    done = [*trained(first), *timed(first), *failed(third)]

    assert lines([first, second, third, other], *done) == [
        "ddp · 2 workers · 10mbit · seed 0: trained and timed",
        "ddp · 2 workers · 20mbit · seed 0: trained, not yet timed",
        "ddp · 2 workers · 50mbit · seed 0: trained, timing failed",
    ]


def test_seeds_of_which_equally_much_is_there_share_a_line() -> None:
    cells = [end_to_end(seed) for seed in range(7)]
    partly = [[begun(one), *(epoch(one.id, number) for number in (1, 2))] for one in cells[3:5]]
    done = [record for one in cells[:3] for record in (begun(one), *(epoch(one.id, n) for n in (1, 2, 3)), end(one.id))]
    dead = end(cells[4].id, status="failed", error="a rank died")

    assert lines(cells, *done, *partly[0], *partly[1], dead, *failed(cells[5])) == [
        "ddp · 2 workers · 20mbit · seeds 0 to 2: trained and timed",
        "ddp · 2 workers · 20mbit · seed 3: 2 of 3 epochs trained",
        "ddp · 2 workers · 20mbit · seed 4: 2 of 3 epochs trained, then failed",
        "ddp · 2 workers · 20mbit · seed 5: failed",
    ]


@pytest.mark.parametrize("is_timed", [True, False])
def test_a_cell_that_diverged_is_not_called_trained(is_timed: bool) -> None:
    one = interleaved()
    training = [*trained(one)[:-1], end(one.trajectory.id, status="diverged", error="loss is nan")]
    timing = [begun(one), end(one.id, status="diverged", error="loss is nan")]

    assert lines([one], *training, *(timing if is_timed else [])) == ["ddp · 2 workers · 10mbit · seed 0: diverged"]


def test_a_further_seed_needs_no_timing_of_its_own() -> None:
    first, second, third = (interleaved(seed=seed) for seed in range(3))

    assert lines([first, second, third], *trained(first), *timed(first), *trained(second)) == [
        "ddp · 2 workers · 10mbit · seed 0: trained and timed",
        "ddp · 2 workers · 10mbit · seed 1: trained, timed with another cell that has the same steps",
    ]


def test_a_cell_that_was_timed_less_precisely_is_not_called_done() -> None:
    one = interleaved()
    coarse = [
        dataclasses.replace(record, environment=Environment(timing_precision=0.1))
        if isinstance(record, Start)
        else record
        for record in timed(one)
    ]

    assert lines([one], *trained(one), *coarse) == [
        "ddp · 2 workers · 10mbit · seed 0: trained, timed less precisely than timing_precision"
    ]


def test_steps_of_a_profile_are_only_timed() -> None:
    one, other = (interleaved(link=link) for link in ("10mbit", "20mbit"))
    timed_only = [cell.model_copy(update={"task": cell.task.of_profile("0" * 64)}) for cell in (one, other)]

    assert lines(timed_only, *timed(timed_only[0])) == ["ddp · 2 workers · 10mbit · seed 0: timed"]
