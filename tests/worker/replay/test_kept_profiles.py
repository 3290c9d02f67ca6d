"""A machine keeps the profile of a quiet measurement, and later runs replay it."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist

from liecbench.config.cell import Cell
from liecbench.config.jobs import Contestant, Session
from liecbench.profiles.profile import Duration, ParameterTimes, Profile
from liecbench.worker.replay import session_profile as module
from liecbench.worker.replay.kept_profiles import keep, kept_path, read_kept
from tests.distributed import run_ranks
from tests.worker.small_cells import cell


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIECBENCH_PROFILES", str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture
def own_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "kept_own_model.py"
    file.write_text("from torch import nn\ndef net(): return nn.Linear(64, 10)\n")
    monkeypatch.syspath_prepend(tmp_path)
    return file


def own(algorithm: dict[str, Any], **changes: Any) -> Cell:
    return cell(algorithm).model_copy(update=changes)


def written(forward: float) -> Profile:
    gradient = ParameterTimes(name="w", shape=(3,), ready_seconds=0.0)
    return Profile(
        forward=Duration(median=forward),
        backward=Duration(median=0.5),
        optimizer=Duration(median=0.0),
        parameters=(gradient,),
    )


def test_cells_of_one_model_share_a_profile() -> None:
    ddp, doublesqueeze = cell({"name": "ddp"}), cell({"name": "doublesqueeze"})
    alike = [
        doublesqueeze,
        own({"name": "ddp"}, seed=3),
        own({"name": "ddp"}, workers=8),
        own({"name": "ddp"}, link=None),
    ]
    assert {kept_path([one]) for one in alike} == {kept_path([ddp])}
    others = [
        own({"name": "ddp"}, threads=2),
        cell({"name": "ddp"}, batch_size=16),
        cell({"name": "ddp"}, model={"name": "mlp", "width": 25}),
        cell({"name": "ddp"}, momentum=0.9),
    ]
    assert len({kept_path([one]) for one in [ddp, *others]}) == 5


def test_a_changed_variable_or_model_file_gets_another_profile(
    own_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = cell({"name": "ddp"}, model={"name": "kept_own_model:net"})
    before = kept_path([one])
    own_model.write_text(own_model.read_text() + "# changed\n")
    changed = kept_path([one])
    monkeypatch.setenv("OMP_PROC_BIND", "true")
    assert len({before, changed, kept_path([one])}) == 3


def test_without_a_home_directory_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIECBENCH_PROFILES", "~nobody-of-this-name/profiles")
    assert kept_path([cell({"name": "ddp"})]) is None
    assert read_kept(None) is None


def test_a_damaged_profile_counts_as_missing_and_an_unwritable_place_is_no_error(directory: Path) -> None:
    path = directory / "one.json"
    keep(path, written(0.25))
    found = read_kept(path)
    assert found is not None
    assert found.forward.median == 0.25
    path.write_text(path.read_text()[:-9])
    assert read_kept(path) is None
    keep(directory / "one.json" / "below-a-file.json", written(0.25))


def found_in(results: list[str], kept: str, most_other_cpu: float) -> list[tuple[str, bytes]]:
    """Return the profiles that sessions in these results directories replay, one after the other: hash and file."""
    os.environ["LIECBENCH_PROFILES"] = kept  # ranks are forked from a process with another test's environment
    setattr(module, "MOST_OTHER_CPU", most_other_cpu)  # noqa: B010 - it is final
    one = own({"name": "ddp"}, compute="replayed")
    session = Session(contestants=(Contestant(cell=one, jobs=()),), precision=0.02)
    hashes = []
    for name in results:
        Path(name).mkdir(exist_ok=True)
        found = module.session_profile(session, Path(name), lambda: None)
        dist.barrier()  # rank 0 has written it
        (file,) = Path(name, "profiles").iterdir()
        assert found.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
        hashes.append((found.sha256, file.read_bytes()))
    return hashes


@pytest.mark.parametrize("most_other_cpu", [2.0, -1.0], ids=["quiet", "busy"])
def test_a_later_run_replays_what_was_measured_quietly(most_other_cpu: float, directory: Path, tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("first", "second", "second")]
    ranks = run_ranks(found_in, 2, names, str(directory), most_other_cpu)
    assert ranks[0] == ranks[1], "all ranks replay one profile"
    first, second, again = ranks[0]
    assert second == again, "a continued run replays its own profile"
    is_kept = most_other_cpu > 1
    assert (first == second) is is_kept
    assert [file.read_bytes() for file in directory.glob("*.json")] == ([first[1]] if is_kept else [])
