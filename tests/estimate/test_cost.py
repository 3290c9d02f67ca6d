import pytest

from liecbench.config.jobs import Job
from liecbench.estimate.cost import job_seconds, launch_seconds, stall_timeout
from liecbench.estimate.machine_speed import num_cores
from liecbench.estimate.planned_bytes import payload_bytes_per_epoch
from liecbench.estimate.wire_time import wire_seconds_per_epoch
from tests.estimate.estimated_cells import NUMEL, STEPS, cell, liec


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


def test_a_model_too_large_for_the_machine_has_traffic_all_the_same() -> None:
    huge = cell(link="none", task={"model": {"name": "mlp", "width": 10**7, "layers": 2}})

    assert payload_bytes_per_epoch(huge)[0][0] > 4 * 10**14 * STEPS
    assert job_seconds(Job(cell=huge), link_changes=False) < 60


def test_every_message_of_a_step_takes_time() -> None:
    """Through a server at the root, 8 workers send 2 × 7 messages per step; with 8 shards, 8 times as many."""
    root, sharded = (
        job_seconds(
            Job(cell=cell("csgd", compressor="sign", server=server, workers=8, link="none")), link_changes=False
        )
        for server in ("root", "sharded")
    )
    steps = 2 * (1437 // (32 * 8))  # in two epochs

    assert pytest.approx(sharded - root) == steps * (7 * 14) * 5.5e-4 / num_cores()


def test_workers_that_share_cores_take_longer() -> None:
    few, many = (job_seconds(Job(cell=cell(link="none", workers=workers)), link_changes=False) for workers in (2, 32))

    # The first part of the epoch's work per worker is a sixteenth, but 992 messages go each way in every step.
    assert many > 2 * few


def test_more_workers_take_longer_to_start() -> None:
    assert launch_seconds(8) > launch_seconds(2)
