import dataclasses

import pytest

from liecbench.results.bandwidth_needed import BandwidthNeeded
from liecbench.results.measured_bandwidth import measured_bandwidth
from liecbench.results.records import Record, Start
from liecbench.results.row_labels import Labels
from tests.ledgers import rows_of, run_of, run_of_parts

MBIT = 10**6


def needed(*runs: list[Record]) -> list[BandwidthNeeded]:
    rows = rows_of(*runs)
    return measured_bandwidth(rows, Labels([row for row in rows if not row.is_added]))


def test_rows_are_joined_by_method_and_workers() -> None:
    runs = [
        run_of_parts(f"{name} {link} {n}", 2.2, wire, 0.1, 0.01, algorithm=name, link=link, workers=n)
        for link, wire in (("50mbit", 4.4), ("200mbit", 1.1))
        for name in ("ddp", "psgd")
        for n in (2, 4)
    ]
    found = needed(*runs)

    assert {(one.name, one.workers, one.num_rates) for one in found} == {
        (name, workers, 2) for name in ("ddp", "psgd") for workers in (2, 4)
    }
    first = found[0]
    # Transfer of 220 Mbit, and a wait of 2.2 s, of which 0.11 s stays: 220 ÷ 2.09 = 105.3 Mbit/s
    assert first.rate_text(first.rates[0]) == "110mbit"
    assert first.highest_utilization == pytest.approx(2.2 / 2.31)
    assert first.compute.seconds == pytest.approx(0.1)
    assert first.limited_by == "compression"


def test_rates_that_a_run_added_count() -> None:
    asked, (first, *rest) = (
        run_of_parts("a", 1.0, 2.0, 0.0, 0.0, link="50mbit"),
        run_of_parts("b", 1.0, 0.5, 0.0, 0.0, link="200mbit"),
    )
    assert isinstance(first, Start)
    (found,) = needed(asked, [dataclasses.replace(first, spec={**first.spec, "added_rate": True}), *rest])

    assert (found.num_rates, found.rate_text(found.rates[0]), found.limited_by) == (2, "100mbit", None)


def test_links_with_a_shape_say_so_and_have_rates_of_both_directions() -> None:
    link = {"up": "10mbit", "down": "50mbit", "delay": "5ms"}
    (found,) = needed(run_of_parts("a", 1.0, 2.0, 0.0, 0.1, link=link))

    assert found.name_with_links == "ddp · links with down = 5 × up delay 5ms round trip 20ms"
    # 2 s of transfer in a wait of 1, of which 0.1 stays: 10 × 2 ÷ 0.9
    assert found.rate_text(found.rates[0]) == "22mbit↑ 110mbit↓ estimated"
    assert found.limited_by == "latency"


def test_rows_without_rates_or_parts_are_left_out() -> None:
    assert needed(run_of_parts("a", 1.0, 0.0, 0.0, 0.0, link="none"), run_of("old")) == []


def test_compute_seconds_are_the_same_at_all_rates_although_each_was_measured() -> None:
    # In truth a step computes 1 s and transfers 100 Mbit; at 50 Mbit/s the computing alone was measured as 1.5 s.
    (found,) = needed(
        run_of_parts("a", 1.5, 1.5, 0.0, 0.0, link="50mbit"),
        run_of_parts("b", 1.0, 0.5, 0.0, 0.0, link="200mbit"),
        run_of_parts("c", 1.0, 0.1, 0.0, 0.0, link="1gbit"),
    )

    assert found.rate_text(found.rates[0]) == "100mbit"


def test_an_interval_is_not_wider_than_its_neighbours_allow() -> None:
    # At the slowest rate each seed takes 2 to 4 s; at 100 Mbit/s all take 2 s, of which 1 s computes.
    slow = [run_of_parts(f"a{seed}", 1.0, 1.0 + seed, 0.0, 0.0, link="50mbit", seed=seed) for seed in range(3)]
    fast = [run_of_parts(f"b{seed}", 1.0, 1.0, 0.0, 0.0, link="100mbit", seed=seed) for seed in range(3)]
    (found,) = needed(*slow, *fast)

    assert found.rate_text(found.rates[0]) == "at most 100mbit"
    # A wait of 1/3 of 1 s: 100 Mbit/s in truth are 300 Mbit/s.
    assert found.rate_text(found.rates[1]) == "300mbit extrapolated"
