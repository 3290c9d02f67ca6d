import hashlib
from pathlib import Path

import pytest

from liecbench.errors import LiecbenchError
from liecbench.profiles.profile_store import ProfileFile, load_stored, store, stored_path
from tests import profiles_of_tasks


def test_a_stored_profile_is_named_by_the_hash_of_its_bytes_and_reads_back(tmp_path: Path) -> None:
    file = ProfileFile.read(profiles_of_tasks.write(tmp_path / "p.json"), "p.json")
    sha256 = hashlib.sha256((tmp_path / "p.json").read_bytes()).hexdigest()

    assert [store(tmp_path, file.content) for _ in range(2)] == [sha256] * 2
    assert file.sha256 == sha256
    assert (tmp_path / file.stored_name).read_bytes() == (tmp_path / "p.json").read_bytes()
    assert load_stored(tmp_path, sha256) == file.profile
    assert file.profile.compute_seconds == pytest.approx(0.0035)


def test_a_profile_that_was_changed_or_removed_is_refused_and_stored_again(tmp_path: Path) -> None:
    content = profiles_of_tasks.write(tmp_path / "p.json").read_bytes()
    sha256 = store(tmp_path, content)
    stored_path(tmp_path, sha256).write_bytes(content.replace(b"0.001", b"0.003"))

    with pytest.raises(LiecbenchError, match="was changed after"):
        load_stored(tmp_path, sha256)
    stored_path(tmp_path, sha256).unlink()
    with pytest.raises(LiecbenchError, match="No such file"):
        load_stored(tmp_path, sha256)
    store(tmp_path, content)
    assert load_stored(tmp_path, sha256).steps == 0


@pytest.mark.parametrize("name", ["../../etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n"])
def test_only_a_hash_names_a_stored_profile(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a SHA-256"):
        stored_path(tmp_path, name)
