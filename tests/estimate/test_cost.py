from typing import Any

import pytest

from liecbench.config.cell import Contestant, Job, Session
from liecbench.estimate.cost import (
    burst_lengths,
    job_seconds,
    launch_seconds,
    session_rounds,
    session_seconds,
    stall_timeout,
    wire_seconds,
    wire_seconds_per_epoch,
)
from liecbench.estimate.planned_bytes import StepTraffic, payload_bytes_per_epoch, traffic
from tests.estimate.estimated_cells import NUMEL, STEPS, cell, liec


@pytest.mark.parametrize(
    ("link", "server", "expected"),
    [
        # 1,000,000 bytes with 5 % of headers at 10 Mbit/s are 0.84 s each way.
        ("10mbit", None, 0.84),
        ("100mbit", None, 0.084),
        ({"up": "10mbit", "down": "100mbit"}, None, 0.84),
        ({"up": "100mbit", "down": "10mbit"}, "root", 0.924),
        ("10mbit", "root", 1.68),
        ({"rate": "10mbit", "delay": "5ms"}, None, 0.84 + 3 * 2 * 0.005),
        ({"rate": "100mbit", "workers": {"1": "10mbit"}}, None, 0.84),
        ("none", None, 0.0),
    ],
)
def test_a_links_seconds_are_bytes_over_rate(link: Any, server: str | None, expected: float) -> None:
    kind = StepTraffic(count=1, num_sequential=3, ranks=[(1_000_000, 1_000_000)] * 2)
    actual = wire_seconds(cell(link=link, server=server), kind)

    assert expected == pytest.approx(actual)


@pytest.mark.parametrize(
    ("server", "delays", "expected"),
    [
        ("sharded", [5, 5, 5, 5], 10),
        ("root", [5, 5, 5, 5], 10),
        (None, [5, 5, 5, 5], 10),
        ("sharded", [0, 20, 0, 30], 50),
        ("root", [1, 20, 0, 30], 31),
        (None, [0, 20, 0, 30], 25),
    ],
)
def test_each_message_in_sequence_takes_the_delays_of_two_links(
    server: str | None, delays: list[int], expected: float
) -> None:
    link = {"rate": "10mbit", "workers": {str(rank): {"delay": f"{delay}ms"} for rank, delay in enumerate(delays)}}
    late, early = (StepTraffic(count=1, num_sequential=number, ranks=[(1000, 1000)] * 4) for number in (7, 0))
    slow = cell(link=link, server=server, workers=4)

    assert wire_seconds(slow, late) - wire_seconds(slow, early) == pytest.approx(7 * expected / 1000)


# A ring passes 2(n − 1) messages after one another. A server answers what it was sent; LIEC's averaging step averages
# the models after the exchange of gradients, and local SGD sends nothing in between.
@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("ddp", {"step": 6}),
        ("psgd", {"step": 2}),
        ("memsgd", {"step": 2}),
        ({"name": "liec", "average_period": 4}, {"compressed": 2, "averaging": 4}),
        ({"name": "local_sgd", "average_period": 4}, {"local": 0, "averaging": 2}),
    ],
    ids=str,
)
def test_the_messages_in_sequence_of_a_step(algorithm: Any, expected: dict[str, int]) -> None:
    name = algorithm if isinstance(algorithm, str) else algorithm["name"]
    compressor = "sign" if name in ("memsgd", "liec") else None
    found = traffic(cell(algorithm, compressor=compressor, server=None if name == "ddp" else "sharded", workers=4))

    assert expected == {kind: steps.num_sequential for kind, steps in found.items()}


def test_an_epochs_link_seconds_are_those_of_its_steps() -> None:
    assert pytest.approx(wire_seconds_per_epoch(cell())) == STEPS * 4 * NUMEL * 8 * 1.05 / 10e6


@pytest.mark.parametrize(
    ("asked", "before", "under_way"), [(None, 300.0, 300.0), (4.0, 300.0, 4.0), (900.0, 900.0, 900.0)]
)
def test_the_step_timeout_is_the_stall_timeout_once_a_cell_has_begun(
    asked: float | None, before: float, under_way: float
) -> None:
    wait = stall_timeout({"a": cell(link="none")}, asked)

    assert (before, under_way) == (wait(None), wait("a"))


def test_the_stall_timeout_grows_with_the_bytes_of_a_step() -> None:
    slow = cell(link="1mbit")
    actual = stall_timeout({"a": slow}, None)("a")

    assert pytest.approx(actual) == 300 + 10 * 4 * NUMEL * 8 * 1.05 / 1e6


def test_the_stall_timeout_is_a_day_at_most() -> None:
    huge = cell(link="1mbit", task={"model": {"name": "mlp", "width": 10**9}})

    assert stall_timeout({"a": huge}, None)("a") == 86400


def test_a_job_takes_at_least_the_links_seconds() -> None:
    slow = cell(link="1mbit", task={"epochs": 20})
    least = 20 * wire_seconds_per_epoch(slow)

    assert least < job_seconds(Job(cell=slow), link_changes=True) < 3 * least


def test_the_time_that_a_gpu_computes_is_left_out() -> None:
    slow = liec(link="1mbit", device="cuda", task={"epochs": 20})
    around = job_seconds(Job(cell=liec(link="none", device="cuda")), link_changes=False)
    expected = around + 20 * wire_seconds_per_epoch(slow)

    assert pytest.approx(expected) == job_seconds(Job(cell=slow), link_changes=False)


def test_finished_epochs_take_no_more_time() -> None:
    slow = cell(link="1mbit", task={"epochs": 20})
    whole, rest = (job_seconds(Job(cell=slow, epochs_done=done), link_changes=False) for done in (0, 10))

    assert rest < 0.6 * whole


def test_a_session_on_a_slow_link_takes_few_rounds_of_short_bursts() -> None:
    slow = liec(link="1mbit", timing="interleaved", task={"model": {"name": "mlp", "width": 10000}})
    session = Session(contestants=(Contestant(cell=slow, jobs=()),), precision=0.02)
    kinds = traffic(slow)
    averaging = wire_seconds(slow, kinds["averaging"])

    # An averaging step takes longer than a burst may: two are timed, after one that is not, in the fewest rounds.
    assert averaging > 10
    assert burst_lengths(slow)["averaging"] == 2
    assert session_rounds(session) == 4
    assert session_seconds(session) > 4 * 3 * averaging


def test_a_quick_session_times_150_ms_of_each_kind() -> None:
    quick = cell(link="none", timing="interleaved")
    session = Session(contestants=(Contestant(cell=quick, jobs=()),), precision=0.02)

    assert 0.15 * session_rounds(session) < session_seconds(session) < 1 * session_rounds(session)


def test_a_model_too_large_for_the_machine_has_traffic_all_the_same() -> None:
    huge = cell(link="none", task={"model": {"name": "mlp", "width": 10**7, "layers": 2}})

    assert payload_bytes_per_epoch(huge)[0][0] > 4 * 10**14 * STEPS
    assert job_seconds(Job(cell=huge), link_changes=False) < 1


def test_workers_that_share_cores_take_longer() -> None:
    few, many = (job_seconds(Job(cell=cell(link="none", workers=workers)), link_changes=False) for workers in (2, 32))

    # The first part of the epoch's work per worker is a sixteenth, but 992 messages go each way in every step.
    assert many > 2 * few


def test_more_workers_take_longer_to_start() -> None:
    assert launch_seconds(8) > launch_seconds(2)
