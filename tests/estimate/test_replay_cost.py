from pathlib import Path

import pytest

from liecbench.config.jobs import Session
from liecbench.estimate.expected_profile import ExpectedProfiles
from liecbench.estimate.replay_cost import replayed_session, session_steps
from liecbench.estimate.session_cost import SessionCost
from liecbench.network.slowdown import Slowdown
from tests.estimate.replayed_sessions import NUM_BYTES, profile_file, session

# Between two ranks, each sends all bytes of a gradient, in frames of 1514 bytes with 1448 bytes of it, and receives
# acknowledgements of 66 bytes per two frames.
BITS = 8 * NUM_BYTES * (1514 + 33) / 1448


def cost(timed: Session, directory: Path) -> SessionCost:
    return replayed_session(timed, ExpectedProfiles(directory).of(timed))


def test_a_session_replays_its_steps_in_rounds(tmp_path: Path) -> None:
    found = cost(session(profile_file(tmp_path), "ddp", link="20mbit", dilation=3), tmp_path)
    step = 3 * BITS / 20e6

    # 4 rounds, because they exceed the limit of 15 s: 3 steps in each, and 3 to probe before the first.
    assert (found.slowdown, found.rounds) == (Slowdown(dilation=3), 4)
    assert list(found.steps.values()) == [{"step": 3}]
    assert found.seconds == pytest.approx((4 * 3 + 3) * step, rel=0.05)


def test_steps_that_neither_compute_nor_send_take_no_time(tmp_path: Path) -> None:
    found = cost(session(profile_file(tmp_path), "local_sgd", link="20mbit"), tmp_path)

    assert list(found.steps.values()) == [{"local": 3, "averaging": 3}]


def test_trying_the_links_for_automatic_dilation_takes_no_further_steps(tmp_path: Path) -> None:
    file = profile_file(tmp_path)
    given, automatic = (
        cost(session(file, "ddp", link="20mbit", dilation=dilation), tmp_path) for dilation in (1, "auto")
    )

    assert (given.slowdown, automatic.slowdown) == (Slowdown(), Slowdown())
    assert automatic.seconds == given.seconds


def test_between_bursts_the_ranks_wait_for_the_links(tmp_path: Path) -> None:
    file, links = profile_file(tmp_path), [{"rate": "20mbit", "delay": delay} for delay in ("0ms", "50ms")]
    near, far = (session(file, "local_sgd", workers=4, link=link, dilation=4) for link in links)
    steps = [
        next(iter(session_steps(one, ExpectedProfiles(tmp_path).of(one).profile).values()))["averaging"].seconds
        for one in (near, far)
    ]

    # Two barriers of two trips each among 4 ranks, and one exchange of measurements: 5 trips of 100 ms, each twice,
    # four times as slow, for the burst of each of two kinds of steps. Three averaging steps wait, too.
    waited = 2 * 5 * 0.1 * 4 * 2
    longer = cost(far, tmp_path).round_seconds - cost(near, tmp_path).round_seconds
    assert longer == pytest.approx(waited + 3 * 4 * (steps[1] - steps[0]), rel=0.01)


def test_one_rank_waits_for_no_link(tmp_path: Path) -> None:
    file, links = profile_file(tmp_path), [{"rate": "20mbit", "delay": delay} for delay in ("0ms", "50ms")]
    near, far = (cost(session(file, "local_sgd", workers=1, link=link, dilation=4), tmp_path) for link in links)

    assert near.round_seconds == far.round_seconds


def test_links_without_limits_keep_nobody_waiting(tmp_path: Path) -> None:
    assert cost(session(profile_file(tmp_path), "ddp", link="none"), tmp_path).seconds > 0


def test_quick_sessions_have_eleven_rounds_of_bursts_of_150_ms(tmp_path: Path) -> None:
    found = cost(session(profile_file(tmp_path), "ddp", link="2gbit", dilation=2), tmp_path)

    assert found.rounds == 11
    (steps,) = found.steps.values()
    # 5 steps of 34 ms; 4 would take less than 150 ms.
    assert steps["step"] == 5 + 1


def test_replay_is_no_faster_than_the_processors(tmp_path: Path) -> None:
    file = profile_file(tmp_path)
    fast, slow = (
        cost(session(file, "psgd", workers=16, link="10gbit", dilation=dilation), tmp_path) for dilation in (1, 10**3)
    )

    # 16 ranks send about 120 MB per step, for which the kernel alone needs most of a second.
    assert slow.round_seconds > 3 * fast.round_seconds > 3 * 0.3


def test_the_dilation_is_raised_if_the_processors_would_be_too_busy(tmp_path: Path) -> None:
    # As measured on 2 cores, 4 ranks whose steps have 24 small messages: twice as slow at 5 Mbit/s, 7 times at 50.
    small = [{"name": "a", "shape": [66_000], "ready_seconds": 0.0}]
    file = profile_file(tmp_path, parameters=small)
    found = [
        cost(session(file, "doublesqueeze", workers=4, link=link), tmp_path).slowdown for link in ("5mbit", "50mbit")
    ]

    assert found[0] is not None
    assert found[1] is not None
    assert 1 < found[0].dilation < found[1].dilation


def test_the_session_measures_only_what_it_does_not_know(tmp_path: Path) -> None:
    known = session(profile_file(tmp_path), "ddp", link="20mbit", dilation=1)
    unknown = session(profile_file(tmp_path, message_seconds=None), "ddp", link="20mbit", dilation=1)
    first, second = cost(known, tmp_path), cost(unknown, tmp_path)

    assert first.source == second.source == "the scenario's profile"
    assert second.setup_seconds > first.setup_seconds
