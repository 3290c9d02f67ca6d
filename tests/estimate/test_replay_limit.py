from pathlib import Path

import pytest

from liecbench.errors import LiecbenchError
from liecbench.estimate.replay_limit import refuse_long_replays
from tests.estimate.replayed_sessions import profile_file, session

# 400 MB: 64 ranks send 50 GB in a step, for which the kernel needs minutes.
LARGE = [{"name": "a", "shape": [10_000, 10_000], "ready_seconds": 0.0}]
# A block of its own, whose messages are too small to be cut.
SMALL = {"name": "b", "shape": [1000], "ready_seconds": 0.0}


def test_a_replay_that_dilation_makes_too_long_is_refused(tmp_path: Path) -> None:
    file = profile_file(tmp_path, parameters=[*LARGE, SMALL])

    with pytest.raises(LiecbenchError, match="timing 1 method with 64 workers on 10gbit would take") as refused:
        refuse_long_replays([session(file, "psgd", workers=64, link="10gbit")], tmp_path)
    assert "can only replay it slowly (replayed ×1000)" in str(refused.value)
    assert "fewer workers" in str(refused.value)
    assert "; or write dilation: 1000 to wait " in str(refused.value)


def test_with_smaller_messages_it_does_not_take_too_long(tmp_path: Path) -> None:
    refuse_long_replays([session(profile_file(tmp_path, parameters=LARGE), "ddp", workers=8, link="10gbit")], tmp_path)


@pytest.mark.parametrize(
    "fields",
    [
        {"workers": 64, "link": "10gbit", "dilation": 500},  # given
        {"workers": 2, "link": "1mbit"},  # long without dilation
        {"workers": 64, "link": "none"},
    ],
)
def test_other_replays_take_as_long_as_they_need(tmp_path: Path, fields: dict[str, object]) -> None:
    refuse_long_replays([session(profile_file(tmp_path, parameters=LARGE), "psgd", **fields)], tmp_path)
