from typing import Any

import pytest

from liecbench.check.verdict import Verdict
from tests.check.stored_results import ENVIRONMENT, cell, check, result_of, seeds, traffic, verdicts

FAIL, NOT_COMPARED = Verdict.FAIL, Verdict.NOT_COMPARED


def test_the_ratio_is_of_the_best_epoch_and_the_median_seed() -> None:
    current = seeds([{"least_communicate_seconds": seconds} for seconds in (1.012, 2.024, 9.0)])
    for one in current:
        one.epochs[0] = seeds([{"least_communicate_seconds": 100.0}])[0].epochs[0]
    found = result_of(check(current, seeds([{"least_communicate_seconds": 1.012}] * 3)), "communication_over_wire")

    # 2,530,000 bytes at 20 Mbit/s are 1.012 s
    assert (found.verdict, found.reason) == (FAIL, "+100.0%, the median of 3 seeds; +10% allowed")
    assert pytest.approx((1.0, 2.0, 1.0)) == (found.baseline, found.current, found.change)


@pytest.mark.parametrize(
    ("link", "wire", "expected"),
    [
        ("20mbit", traffic(1_265_000, 2_530_000), 1.0),  # the busiest rank
        ({"up": "20mbit", "down": "10mbit"}, traffic(2_530_000), 0.5),
        ({"rate": "40mbit", "workers": {"1": "20mbit"}}, traffic(2_530_000), 1.0),
        ("20mbit", None, 1.012 / 0.88),  # 2,200,000 bytes of payload
    ],
    ids=str,
)
def test_the_wire_time_is_that_of_the_busiest_direction(link: object, wire: object, expected: float) -> None:
    cells = [cell(link=link, changes={"wire_bytes": wire, "least_communicate_seconds": 1.012})]

    assert result_of(check(cells, cells), "communication_over_wire").current == pytest.approx(expected)


def linked(measured_bits_per_second: float | None) -> dict[str, Any]:
    rates = {"up_bits_per_second": measured_bits_per_second, "down_bits_per_second": 1e12}
    return {"link": {**ENVIRONMENT["link"], "measured": measured_bits_per_second and [rates, rates]}}


@pytest.mark.parametrize(("measured", "expected"), [(17.6e6, 1.1 * 0.88), (20e6, 1.1), (None, 1.1)])
def test_the_wire_time_is_that_of_the_measured_rate(measured: float | None, expected: float) -> None:
    # 2,530,000 bytes at 20 Mbit/s are 1.012 s
    cells = [cell(environment=linked(measured), changes={"least_communicate_seconds": 1.1 * 1.012})]

    assert result_of(check(cells, cells), "communication_over_wire").current == pytest.approx(expected)


def test_a_link_that_is_slower_than_asked_does_not_fail() -> None:
    stored = [cell(environment=linked(20e6), changes={"least_communicate_seconds": 1.1})]
    current = [cell(environment=linked(17.6e6), changes={"least_communicate_seconds": 1.1 / 0.88})]
    found = result_of(check(current, stored), "communication_over_wire")

    assert found.verdict is Verdict.PASS
    assert found.change == pytest.approx(0.0, abs=1e-12)


def test_interleaved_cells_are_compared_by_their_timing_session() -> None:
    stored = seeds([{"least_communicate_seconds": 1.0}] * 3, timing="interleaved")
    current = seeds([{"least_communicate_seconds": 1.2}] * 3, timing="interleaved")
    found = result_of(check(current, stored), "communication_over_wire")

    assert (found.verdict, found.reason) == (FAIL, "+20.0%, from one timing session; +10% allowed")


def test_the_ratio_accounts_for_warm_up_steps() -> None:
    cells = [cell(changes={"timed_steps": 11, "least_communicate_seconds": 0.506})]

    assert result_of(check(cells, cells), "communication_over_wire").current == pytest.approx(1.0)


@pytest.mark.parametrize(("seconds", "gated"), [(0.0201, True), (0.0199, False)])
def test_short_messages_are_not_gated(seconds: float, gated: bool) -> None:
    wire = traffic(round(22 * seconds * 20e6 / 8))
    stored, current = (seeds([{"wire_bytes": wire, "least_communicate_seconds": s}]) for s in (1.0, 2.0))
    outcome = check(current, stored)
    ungated = [one for one in outcome.ungated if one.metric == "communication_over_wire"]

    assert (verdicts(outcome).get("communication_over_wire"), len(ungated)) == ((FAIL, 0) if gated else (None, 1))


def test_seconds_are_not_gated() -> None:
    stored = seeds([{"train_seconds": 1.0}, {"train_seconds": 3.0}])
    current = seeds([{"train_seconds": 10.0, "exposed_seconds": 1.0}] * 2)
    outcome = check(current, stored)

    assert ([(one.metric, one.baseline, one.current) for one in outcome.ungated], int(outcome.exit_code)) == (
        [("seconds_per_epoch", 2.0, 10.0), ("exposed_seconds_per_epoch", 0.5, 1.0)],
        0,
    )


def test_communication_on_an_unshaped_link_is_not_gated() -> None:
    stored, current = (seeds([{"communicate_seconds": s}], link="none") for s in (0.25, 5.0))
    outcome = check(current, stored)

    assert ([(one.metric, one.baseline, one.current) for one in outcome.ungated], int(outcome.exit_code)) == (
        [
            ("seconds_per_epoch", 1.0, 1.0),
            ("exposed_seconds_per_epoch", 0.5, 0.5),
            ("communicate_seconds_per_epoch", 0.25, 5.0),
        ],
        0,
    )


@pytest.mark.parametrize("links", [("none", "20mbit"), ("20mbit", "none")], ids=str)
def test_times_of_a_shaped_and_an_unshaped_link_are_not_compared(links: tuple[str, str]) -> None:
    stored, current = (seeds([{}] * 2, link=link) for link in links)
    outcome = check(current, stored)

    assert (verdicts(outcome)["communication and seconds"], int(outcome.exit_code)) == (NOT_COMPARED, 0)


def test_records_without_least_communication_time_are_not_compared() -> None:
    found = result_of(check(seeds([{}]), seeds([{"least_communicate_seconds": None}])), "communication_over_wire")

    assert found.verdict is NOT_COMPARED


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [(0.1, 0.2, FAIL), (0.1, 0.5, Verdict.INCONCLUSIVE), (0.5, 0.5, FAIL), (None, 0.9, FAIL), (0.1, None, FAIL)],
)
def test_slower_communication_on_a_busier_machine_is_inconclusive(
    before: float | None, now: float | None, expected: Verdict
) -> None:
    old = seeds([{"least_communicate_seconds": 1.0, "other_cpu_share": before}] * 5)
    new = seeds([{"least_communicate_seconds": 1.3, "other_cpu_share": now}] * 5)

    assert result_of(check(new, old), "communication_over_wire").verdict is expected


def test_a_pass_on_a_busier_machine_stays_a_pass() -> None:
    old = seeds([{"other_cpu_share": 0.0}] * 5)
    new = seeds([{"other_cpu_share": 0.9}] * 5)

    assert result_of(check(new, old), "communication_over_wire").verdict is Verdict.PASS
