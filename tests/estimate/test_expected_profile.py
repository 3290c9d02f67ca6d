import json
from pathlib import Path

import pytest

from liecbench.config.cell import Cell
from liecbench.config.jobs import Contestant, Session
from liecbench.errors import LiecbenchError
from liecbench.estimate.expected_profile import ExpectedProfiles
from liecbench.worker.replay.kept_profiles import measured_path
from tests import profiles_of_tasks
from tests.ledgers import spec


def session(*algorithms: str, link: str = "20mbit") -> Session:
    cells = [Cell.from_spec(spec(name, link=link, timing="interleaved", compute="replayed")) for name in algorithms]
    return Session(contestants=tuple(Contestant(cell=cell, jobs=()) for cell in cells), precision=0.02)


def of_width(width: int) -> Session:
    task = {"model": {"name": "mlp", "width": width, "layers": 2}}
    cell = Cell.from_spec(spec(timing="interleaved", compute="replayed", task=task))
    return Session(contestants=(Contestant(cell=cell, jobs=()),), precision=0.02)


def test_sessions_of_a_run_share_the_profile_that_the_first_measures(tmp_path: Path) -> None:
    profiles = ExpectedProfiles(tmp_path)
    first, second = profiles.of(session("ddp")), profiles.of(session("ddp", "ddp_bf16", link="1gbit"))

    assert first.is_new
    assert "measures first" in first.source
    assert first.profile.compute_seconds > 0
    # 64 pixels, one layer of 8, 10 classes.
    assert [parameter.shape for parameter in first.profile.parameters] == [(8, 64), (8,), (10, 8), (10,)]
    assert not second.is_new
    assert [cell.algorithm.name for cell in second.unmeasured] == ["ddp_bf16"]
    assert second.profile.backward == first.profile.backward


def test_a_profile_of_an_earlier_session_is_read(tmp_path: Path) -> None:
    timed = session("ddp")
    path = measured_path(timed.cell, tmp_path)
    path.parent.mkdir()
    method = {"algorithm": {"name": "ddp"}, "kind": "step", "local": 0.25}
    task = timed.cell.task.model_dump(mode="json")
    path.write_text(json.dumps(profiles_of_tasks.profile(methods=[method], task=task)))

    found = ExpectedProfiles(tmp_path).of(timed)

    assert (found.source, found.unmeasured) == ("the profile of an earlier session", ())
    assert found.profile.local_seconds({"name": "ddp"}, None, "step") == 0.25


def test_a_task_that_cannot_be_built_takes_no_time(tmp_path: Path) -> None:
    found = ExpectedProfiles(tmp_path).of(of_width(10**6))

    assert found.profile.compute_seconds == 0
    assert found.profile.num_parameters > 10**12


def test_a_model_that_no_profile_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LiecbenchError, match=r"mlp: 100,000,760,000,010 parameters .*compute: measured"):
        ExpectedProfiles(tmp_path).of(of_width(10**7))
