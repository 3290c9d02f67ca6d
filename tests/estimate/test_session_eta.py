"""The expected seconds of timing sessions, from profiles and from the times of epochs."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from liecbench.config.cell import Cell
from liecbench.config.jobs import Contestant, Job, Session
from liecbench.estimate.eta import TimeLeft
from liecbench.estimate.machine_speed import num_cores
from liecbench.estimate.run_cost import session_costs
from liecbench.estimate.session_cost import session_limit
from liecbench.estimate.session_eta import SessionTimes
from liecbench.launch.pending import Pending
from liecbench.worker.replay.kept_profiles import measured_path
from tests import profiles_of_tasks
from tests.estimate.replayed_sessions import profile_file, session
from tests.ledgers import spec


def digits(*, link: str = "none", task: dict[str, Any] | None = None, **fields: Any) -> Session:
    """Return a session that times ddp, with 22 minibatches per epoch; ``fields`` are those of its spec."""
    cell = Cell.from_spec(spec(timing="interleaved", link=link, task=task, **fields))
    return Session(contestants=(Contestant(cell=cell, jobs=(Job(cell=cell),)),), precision=0.02)


def slower() -> float:
    """Return how much slower each of the two workers is if they share one core."""
    return max(1.0, 2 / num_cores())


def expected(timed: Session, directory: Path, *, epoch_seconds: float | None = None) -> float:
    """Return the seconds that are expected of a session, after an epoch if ``epoch_seconds`` is given."""
    times = SessionTimes([timed], directory)
    if epoch_seconds is not None:
        assert times.learn(timed.cell.trajectory, epoch_seconds)
    (seconds,) = times.seconds().values()
    return seconds


def test_before_its_first_round_a_session_is_estimated_as_in_the_dry_run(tmp_path: Path) -> None:
    quick = session(profile_file(tmp_path), "ddp", "psgd", link="2gbit", dilation=2)
    dilated = session(profile_file(tmp_path), "ddp", link="10mbit", dilation=10)
    first, second = (cost.seconds for cost in session_costs([quick, dilated], tmp_path))

    assert (expected(quick, tmp_path), expected(dilated, tmp_path)) == (first, second)
    assert first < session_limit(quick) / 2
    assert second > 2 * session_limit(dilated)


def test_a_profile_of_an_earlier_session_counts_as_in_the_dry_run(tmp_path: Path) -> None:
    timed = digits(compute="replayed", link="20mbit", dilation=1)
    path = measured_path(timed.cell, tmp_path)
    path.parent.mkdir()
    method = {"algorithm": {"name": "ddp"}, "kind": "step", "local": 0.25}
    task = timed.cell.task.model_dump(mode="json")
    path.write_text(json.dumps(profiles_of_tasks.profile(methods=[method], task=task)))
    (cost,) = session_costs([timed], tmp_path)

    assert expected(timed, tmp_path) == cost.seconds


@pytest.mark.parametrize("compute", ["measured", "replayed"])
def test_if_nothing_tells_how_long_steps_compute_the_limit_is_expected(compute: str, tmp_path: Path) -> None:
    timed = digits(compute=compute)

    assert expected(timed, tmp_path) == pytest.approx(session_limit(timed))


def test_a_profile_that_cannot_be_read_ends_no_run(tmp_path: Path) -> None:
    timed = digits(compute="replayed")
    path = measured_path(timed.cell, tmp_path)
    path.parent.mkdir()
    path.write_text("{}")

    assert expected(timed, tmp_path) == pytest.approx(session_limit(timed))


@pytest.mark.parametrize(("minibatches", "steps"), [(1, 22), (4, 5)])
def test_an_epoch_tells_how_long_slow_steps_are_timed(minibatches: int, steps: int, tmp_path: Path) -> None:
    timed = digits(compute="measured", task={"accumulate": minibatches})

    # Steps of 100 s: computing is measured once, and a burst has a step that is not timed and two that are, in the
    # fewest rounds, which are four in two placements. A placement creates the method in 0.2 s.
    round_seconds, placement_seconds = 100 + 3 * 100, 0.2 * slower()
    seconds = 4 * round_seconds + 2 * placement_seconds
    assert expected(timed, tmp_path, epoch_seconds=100.0 * steps) == pytest.approx(seconds)


def test_an_epoch_tells_how_long_quick_steps_are_timed(tmp_path: Path) -> None:
    timed = digits(compute="measured")
    # Steps of 10 ms: computing is measured for 50 ms, and a burst has one step that is not timed and 15 in 150 ms.
    round_seconds, placement_seconds = 0.05 + 16 * 0.01, 0.2 * slower()
    rounds = max(4, min(30, int(15 / (round_seconds + placement_seconds / 2))))
    seconds = rounds * round_seconds + math.ceil(rounds / 2) * placement_seconds

    assert expected(timed, tmp_path, epoch_seconds=0.01 * 22) == pytest.approx(seconds, rel=0.05)


def test_an_epoch_tells_how_long_a_new_profile_is_replayed(tmp_path: Path) -> None:
    timed = digits(compute="replayed")
    step = 100 / slower()

    # Three steps in each of at least four rounds, and three before them; a profile is measured for at most 20 s.
    seconds = expected(timed, tmp_path, epoch_seconds=100.0 * 22)
    assert (4 * 3 + 3) * step < seconds < (4 * 3 + 3) * step + 25


def test_the_time_left_learns_from_the_first_epoch(tmp_path: Path) -> None:
    timed = digits(compute="measured")
    training = timed.cell.trajectory
    left = TimeLeft(Pending(jobs=(Job(cell=training),), sessions=(timed,)), tmp_path)
    left.start_cell(training.id, 0)
    left.finish_epoch(training.id, 100.0 * 22)

    assert left.seconds() == pytest.approx(100.0 * 22 + expected(timed, tmp_path, epoch_seconds=100.0 * 22))


def test_the_fastest_epoch_of_a_model_tells_how_long_its_steps_compute(tmp_path: Path) -> None:
    timed, other = digits(compute="measured"), digits(compute="measured", task={"batch_size": 16})
    times = SessionTimes([timed, other], tmp_path)
    epochs = [(timed, 4000.0), (timed, 3900.0), (timed, 2200.0), (timed, 3000.0), (other, 3000.0)]
    known = [times.learn(one.cell.trajectory, seconds) for one, seconds in epochs]

    assert known == [True, False, True, False, True]
    assert times.seconds()[timed.cell.setting] == expected(timed, tmp_path, epoch_seconds=2200.0)
    assert not SessionTimes([], tmp_path).learn(timed.cell.trajectory, 1.0)
