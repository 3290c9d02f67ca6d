"""Projects with a package ``probe`` in git repositories, for the tests of revisions."""

import os
import subprocess
from pathlib import Path

import pytest

from liecbench.check.paired.revisions import built
from liecbench.errors import LiecbenchError

GIT = {
    "GIT_AUTHOR_NAME": "nobody",
    "GIT_AUTHOR_EMAIL": "nobody@example.org",
    "GIT_COMMITTER_NAME": "nobody",
    "GIT_COMMITTER_EMAIL": "nobody@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",  # `git status` would refresh the index
}

BUILD = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'

WHEEL = '[tool.hatch.build.targets.wheel]\npackages = ["probe"]\n'


def git(directory: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(
        command, cwd=directory, env={**os.environ, **GIT}, check=True, capture_output=True, text=True
    ).stdout.strip()


def project(directory: Path, version: str, value: int, build: str = BUILD + WHEEL) -> None:
    """Write a package ``probe`` with a constant, and an entry point that names it."""
    (directory / "probe").mkdir(parents=True, exist_ok=True)
    (directory / "probe" / "__init__.py").write_text(f"VALUE = {value}\n")
    entry = '[project.entry-points."probe.values"]\nvalue = "probe:VALUE"\n'
    (directory / "pyproject.toml").write_text(
        f'{build}[project]\nname = "probe"\nversion = "{version}"\ndependencies = ["absent"]\n{entry}'
    )


def commit(repository: Path, message: str) -> None:
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", f"--message={message}")


def error_of(*revisions: str) -> str:
    with pytest.raises(LiecbenchError) as raised, built(revisions, lambda _: None):
        pass
    return str(raised.value)
