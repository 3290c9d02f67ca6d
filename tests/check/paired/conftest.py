"""Repositories with a Python project, for the tests of revisions."""

from pathlib import Path

import pytest

from tests.check.paired.probe_project import commit, git, project


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two revisions of a project below the top of a repository, and changes that are not committed."""
    top = tmp_path_factory.mktemp("repository")
    git(top, "init", "--quiet", "--initial-branch=main")
    (top / "README").write_text("a project lies below\n")
    for version, value in (("1.0", 1), ("2.0", 2)):
        project(top / "plugins" / "probe", version, value)
        commit(top, version)
    git(top, "tag", "--annotate", "--message=the first", "first", "main~1")
    project(top / "plugins" / "probe", "3.0", 3)
    (top / "plugins" / "probe" / "probe" / "new.py").touch()
    git(top, "add", str(top / "README"))
    return top


@pytest.fixture
def lone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository around the current directory, with one project that is not committed yet."""
    directory = tmp_path / "lone"
    project(directory, "1.0", 1)
    git(directory, "init", "--quiet")
    monkeypatch.chdir(directory)
    return directory
