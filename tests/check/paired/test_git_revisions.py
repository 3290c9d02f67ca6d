import os
from pathlib import Path

import pytest

from liecbench.check.paired.git_revisions import exported_project
from tests.check.paired.probe_project import commit, error_of, git

UNKNOWN = "name a commit, branch or tag of this repository, or `git fetch` it first"


@pytest.mark.parametrize("name", ["no-such-branch", "", "HEAD:README", "main..main", "main\nmain"])
def test_an_unknown_revision_is_named(repository: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(repository)

    assert error_of("main", name) == f"revision {name}: there is no such commit here; {UNKNOWN}"


@pytest.mark.parametrize("name", ["--output=pwned", "-", "^main"])
def test_a_revision_cannot_begin_like_an_option(repository: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(repository)

    assert error_of(name) == f"revision {name}: a revision cannot begin with {name[0]}; {UNKNOWN}"


def test_a_shallow_clone_is_an_error_with_a_remedy(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", repository.as_uri(), "shallow")
    monkeypatch.chdir(tmp_path / "shallow")

    assert error_of("HEAD~1") == (
        "revision HEAD~1: there is no such commit here; this clone is shallow: fetch more history with "
        "`git fetch --unshallow` (a CI checkout has an option for the whole history, such as fetch-depth: 0)"
    )


def test_a_directory_outside_a_repository_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert error_of("main") == (
        "check revisions: git finds no working tree here "
        "(fatal: not a git repository (or any of the parent directories): .git); "
        "run it inside the repository whose revisions are to be compared"
    )


def test_a_repository_without_a_project_is_refused(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)

    assert error_of("main").partition(") ")[2] == (
        "has no pyproject.toml or setup.py in its top directory or above; run it in the directory of a Python package"
    )


@pytest.mark.parametrize("target", ["/elsewhere", "../elsewhere", "probe/../../elsewhere"])
def test_a_link_out_of_the_tree_is_refused(lone: Path, target: str) -> None:
    (lone / "data").symlink_to(target)
    commit(lone, "one")

    assert error_of("HEAD").partition(") ")[2] == (
        f"cannot be exported: data is a link to {target}; links must stay inside the tree"
    )


def test_files_are_exported_as_committed(lone: Path, tmp_path: Path) -> None:
    (lone / "build.sh").write_text("#!/bin/sh\n")
    (lone / "build.sh").chmod(0o755)
    (lone / "data").mkdir()
    (lone / "data" / "bytes").write_bytes(bytes(range(256)))
    (lone / "data" / "link").symlink_to("../probe")
    commit(lone, "one")
    before = git(lone, "status", "--porcelain=v2"), (lone / ".git" / "index").read_bytes()

    project = exported_project(lone, git(lone, "rev-parse", "HEAD"), "", tmp_path / "tree", label="HEAD")

    assert sorted(str(path.relative_to(project)) for path in project.rglob("*")) == [
        *("build.sh", "data", "data/bytes", "data/link", "probe", "probe/__init__.py", "pyproject.toml"),
    ]
    assert os.access(project / "build.sh", os.X_OK)
    assert (project / "data" / "bytes").read_bytes() == bytes(range(256))
    assert (project / "data" / "link" / "__init__.py").read_text() == "VALUE = 1\n"
    assert (git(lone, "status", "--porcelain=v2"), (lone / ".git" / "index").read_bytes()) == before


@pytest.mark.parametrize("committed", ["eol=lf", "eol=crlf"])
def test_attributes_that_are_not_committed_have_no_effect(lone: Path, tmp_path: Path, committed: str) -> None:
    (lone / ".gitattributes").write_text(f"data {committed}\n")
    (lone / "data").write_bytes(b"one\n")
    commit(lone, "one")
    (lone / ".gitattributes").write_text("data eol=crlf\n" if committed == "eol=lf" else "")

    project = exported_project(lone, git(lone, "rev-parse", "HEAD"), "", tmp_path / "tree", label="HEAD")

    assert (project / "data").read_bytes() == (b"one\n" if committed == "eol=lf" else b"one\r\n")


def test_no_hook_of_the_repository_runs(lone: Path, tmp_path: Path) -> None:
    commit(lone, "one")
    hook = lone / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n: > {tmp_path}/ran\n")
    hook.chmod(0o755)

    exported_project(lone, git(lone, "rev-parse", "HEAD"), "", tmp_path / "tree", label="HEAD")

    assert not (tmp_path / "ran").exists()
    git(lone, "read-tree", "HEAD")  # git knows this hook
    assert (tmp_path / "ran").exists()


def test_a_commit_without_all_of_its_objects_is_refused(lone: Path) -> None:
    commit(lone, "one")
    blob = git(lone, "rev-parse", "HEAD:pyproject.toml")
    (lone / ".git" / "objects" / blob[:2] / blob[2:]).unlink()

    assert blob in error_of("HEAD")
    assert error_of("HEAD").endswith("; `git fsck` says whether the repository lacks something")


def test_missing_git_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert error_of("main") == "check revisions: git is not installed; install it"
