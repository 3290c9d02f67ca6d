"""Rates that are added to narrow break-evens: which, for which cells, and what becomes of their results."""

from collections.abc import Sequence
from typing import Any

import pytest

from liecbench.config.cell import Cell
from liecbench.launch.added_rates import AddedRate, num_narrowable, rates_to_add, with_added
from liecbench.launch.pending import jobs_left, settled
from liecbench.network.link_map import LinkMap
from liecbench.results.cells import replay, without_used_trajectories
from liecbench.results.comparison_of_cells import compare
from liecbench.results.records import Record
from tests.break_even_ledger import begun, ledger, timed
from tests.ledgers import end, spec


def cell(algorithm: str, link: Any, **changes: Any) -> Cell:
    return Cell.from_spec(spec(algorithm, **{"timing": "interleaved", "link": link, **changes}))


def asked(*links: Any, seeds: Sequence[int] = (0,)) -> list[Cell]:
    return [cell(name, link, seed=seed) for link in links for name in ("ddp", "psgd") for seed in seeds]


def to_add(cells: Sequence[Cell], records: Sequence[Record], at_most: int = 4) -> list[AddedRate]:
    return rates_to_add(cells, replay(records), baseline="ddp", precision=0.02, at_most=at_most)


def test_rates_close_around_the_break_even_until_the_bracket_is_narrow() -> None:
    cells = asked("10mbit", "100mbit")
    added: list[Cell] = []
    rates = []
    while found := to_add(cells, ledger(cells, added)):
        (one,) = found
        rates.append(str(one.cells[0].link))
        added += one.cells

    # The search measures at 0.95 · ln 1.1 to either side of the expected break-even, at 50 Mbit/s here.
    assert rates == ["45.7mbit", "54.7mbit"]
    assert len(to_add(cells, ledger(cells), at_most=1)) == 1
    assert to_add(cells, ledger(cells, added[:2]), at_most=1) == []
    assert to_add(cells, ledger(cells), at_most=0) == []


def test_the_cells_of_an_added_rate_have_every_seed_and_keep_the_delay() -> None:
    links = [{"rate": rate, "delay": "5ms"} for rate in ("10mbit", "100mbit")]
    cells = asked(*links, seeds=(0, 1))
    (one,) = to_add(cells, ledger(cells))

    link = LinkMap.parse({"rate": "45.7mbit", "delay": "5ms"})
    assert {(c.algorithm.name, c.seed, c.link) for c in one.cells} == {
        (name, seed, link) for name in ("ddp", "psgd") for seed in (0, 1)
    }
    assert {c.trajectory.id for c in one.cells} == {c.trajectory.id for c in cells}
    slowest = {c.id for c in cells if c.link == cells[0].link}
    assert set(one.measured) == {c.id for c in one.cells}
    assert set(one.measured.values()) == slowest
    pending = jobs_left(one.cells, replay(ledger(cells)))
    assert pending.jobs == ()
    assert [[c.cell.algorithm.name for c in session.contestants] for session in pending.sessions] == [["ddp", "psgd"]]


def test_links_of_two_rates_get_rates_of_the_same_shape() -> None:
    cells = asked(*({"up": f"{up}mbit", "down": f"{2 * up}mbit"} for up in (10, 100)))
    (one,) = to_add(cells, ledger(cells))

    assert {str(c.link) for c in one.cells} == {"45.7mbit↑ 91.4mbit↓"}


def test_a_link_with_another_delay_is_no_end_of_a_bracket() -> None:
    cells = asked("10mbit", {"rate": "100mbit", "delay": "5ms"})

    assert num_narrowable(cells, baseline="ddp") == 0
    assert to_add(cells, ledger(cells)) == []


@pytest.mark.parametrize(
    ("delay", "changes"), [("5ms", {}), (None, {"emulator": "netem"}), (None, {"enforcement": "process"})]
)
def test_rates_that_were_added_for_another_scenario_do_not_count(delay: str | None, changes: dict[str, Any]) -> None:
    cells = asked("10mbit", "100mbit")
    others = [
        cell(name, {"rate": rate, "delay": delay} if delay else rate, added_rate=True, **changes)
        for name in ("ddp", "psgd")
        for rate in ("45.7mbit", "80mbit")
    ]
    records = [*ledger(cells), *(record for one in others for record in timed(one))]
    (one,) = to_add(cells, records)

    assert [str(added.link) for added in one.cells] == ["45.7mbit", "45.7mbit"]
    assert {found.id for found in with_added(cells, replay(records))} == {one.id for one in cells}


def test_no_rate_is_added_while_only_added_rates_are_timed() -> None:
    cells = asked("10mbit", "100mbit")
    added = [one.at_rate(rate) for rate in (30_000_000, 80_000_000) for one in cells[:2]]
    timed_again = [begun(one) for one in cells]

    assert len(to_add(cells, ledger(cells, added))) == 1
    assert to_add(cells, [*ledger(cells, added), *timed_again]) == []


def test_methods_that_may_have_a_break_even_count_once_per_setting() -> None:
    cells = asked("10mbit", "100mbit", seeds=(0, 1))
    cells += [cell(name, rate, workers=4) for name in ("ddp", "psgd", "liec") for rate in ("10mbit", "100mbit")]
    cells += [cell("signsgd", "10mbit"), cell("signsgd", {"rate": "100mbit", "delay": "5ms"})]

    assert num_narrowable(cells, baseline="ddp") == 3


def test_methods_that_do_not_cross_get_no_rate() -> None:
    cells = asked("10mbit", "20mbit")

    assert num_narrowable(cells, baseline="ddp") == 1
    assert to_add(cells, ledger(cells)) == []


def test_cells_that_are_timed_in_training_get_no_rate() -> None:
    cells = [cell(name, link, timing="end_to_end") for name in ("ddp", "psgd") for link in ("10mbit", "100mbit")]

    assert num_narrowable(cells, baseline="ddp") == 0


@pytest.fixture(scope="module")
def narrowed() -> tuple[list[Cell], list[Record]]:
    cells = asked("10mbit", "100mbit")
    added = [one.at_rate(rate) for rate in (45_700_000, 54_700_000) for one in cells[:2]]
    return cells, ledger(cells, added)


def test_added_rates_narrow_the_break_even_and_are_no_rows(narrowed: tuple[list[Cell], list[Record]]) -> None:
    _, records = narrowed
    comparison = compare(without_used_trajectories(list(replay(records).values())), baseline="ddp")

    assert sorted(row.fields["link"] for row in comparison.rows) == ["100mbit", "100mbit", "10mbit", "10mbit"]
    assert "psgd: faster than ddp below a rate between 45.7mbit and 54.7mbit" in comparison.verdict
    (found,) = comparison.break_evens
    assert (found.added_rates, found.is_narrowest) == ([45_700_000, 54_700_000], True)


def test_a_rate_that_is_asked_for_later_is_a_row_and_is_not_timed_again(
    narrowed: tuple[list[Cell], list[Record]],
) -> None:
    cells, records = narrowed
    later = asked("45.7mbit")
    done = replay(records)

    assert jobs_left([*cells, *later], done).sessions == ()
    ends = list(settled([*cells, *later], done))
    assert [(one.job.cell, one.status) for one in ends] == [(one, "completed") for one in later]
    more = [record for one in later for record in (begun(one), end(one.id))]
    comparison = compare(without_used_trajectories(list(replay([*records, *more]).values())), baseline="ddp")
    assert [row.fields["link"] for row in comparison.rows].count("45.7mbit") == 2
    assert [one.added_rates for one in comparison.break_evens] == [[54_700_000]]
    # The baseline of an asked row is the asked one, not the cell that was added earlier at the same rate.
    assert [row.speed for row in comparison.rows if row.is_baseline] == [None, None, None]


def test_an_added_rate_that_fails_is_told_while_the_break_even_is_open(
    narrowed: tuple[list[Cell], list[Record]],
) -> None:
    cells, narrow = narrowed
    failed = [one.at_rate(50_000_000) for one in cells[:2]]
    lost = [record for one in failed for record in (begun(one), end(one.id, status="failed", error="the link is off"))]
    still_open, closed = (
        compare(with_added(cells, replay([*records, *lost])), baseline="ddp") for records in (ledger(cells), narrow)
    )
    line = "psgd: added rates that gave no speed-up: 50mbit"

    assert (still_open.verdict.count(line), closed.verdict.count(line)) == (1, 0)
    assert (still_open.errors, closed.errors) == (("psgd: failed: the link is off",), ())
    assert [[row.num_failed for row in one.untimed] for one in still_open.break_evens] == [[1]]
