"""Git revisions of the current directory's project: find their commits, and export their files."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess

from liecbench.check.paired.captured_command import run_captured
from liecbench.errors import LiecbenchError, MachineError

_SHALLOW = (
    "this clone is shallow: fetch more history with `git fetch --unshallow` "
    "(a CI checkout has an option for the whole history, such as fetch-depth: 0)"
)
_UNKNOWN = "name a commit, branch or tag of this repository, or `git fetch` it first"


def repository() -> tuple[Path, str]:
    """Return the top directory of the git working tree, and the current directory's path relative to the top.

    Raises:
        LiecbenchError: If the current directory is not in a git working tree.
        MachineError: If git is not installed.
    """
    done = _git(Path.cwd(), "rev-parse", "--show-toplevel", "--show-prefix")
    if done.returncode:
        message = f"check revisions: git finds no working tree here ({' '.join(done.stderr.split())})"
        raise LiecbenchError(message, "run it inside the repository whose revisions are to be compared")
    top, prefix, *_ = done.stdout.split("\n")
    return Path(top), prefix


def commit_of(top: Path, name: str) -> str:
    """Return the full hash of the commit of a revision.

    Args:
        top: The top directory of the git working tree.
        name: A commit, branch or tag.

    Raises:
        LiecbenchError: If there is no such commit.
    """
    if name.startswith(("-", "^")):
        raise LiecbenchError(f"revision {name}: a revision cannot begin with {name[0]}", _UNKNOWN)
    done = _git(top, "rev-parse", "--verify", f"{name}^{{commit}}")
    if done.returncode:
        shallow = _git(top, "rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        raise LiecbenchError(f"revision {name}: there is no such commit here", _SHALLOW if shallow else _UNKNOWN)
    return done.stdout.strip()


def exported_project(top: Path, commit: str, prefix: str, tree: Path, *, label: str) -> Path:
    """Export the files of a commit to ``tree``, and return the directory of the Python project in ``tree``.

    Args:
        top: The top directory of the git working tree.
        commit: The hash of the commit.
        prefix: The directory in which to look for the project, relative to ``top``. If the project is not there, the
            directories above are searched.
        tree: The directory to create for the files.
        label: Name of the revision in error messages.

    Raises:
        LiecbenchError: If the commit cannot be exported, or has no project in these directories.
    """
    _export(top, commit, tree, label)
    return _project(tree, prefix, label)


def _export(top: Path, commit: str, tree: Path, label: str) -> None:
    """Let git write the files of a commit to ``tree``, which must not exist; git never writes through a link."""
    tree.mkdir(parents=True)
    index = {"GIT_INDEX_FILE": str(tree.with_suffix(".index"))}  # the repository's own index stays as it is
    # With --prefix instead, git would take the attributes, such as eol, from the repository's own working tree.
    options = ["-c", f"core.hooksPath={os.devnull}", f"--work-tree={tree}"]
    for command in (["read-tree", commit], ["checkout-index", "--all"]):
        done = _git(top, *options, *command, variables=index)
        if done.returncode:
            message = f"{label} cannot be exported: {done.stderr.strip()}"
            raise LiecbenchError(message, "`git fsck` says whether the repository lacks something")
    for link in filter(Path.is_symlink, tree.rglob("*")):
        target = link.readlink()
        if target.is_absolute() or not Path(os.path.realpath(link)).is_relative_to(os.path.realpath(tree)):
            message = f"{label} cannot be exported: {link.relative_to(tree)} is a link to {target}"
            raise LiecbenchError(message, "links must stay inside the tree")


def _project(tree: Path, prefix: str, label: str) -> Path:
    """Return the first directory with a pyproject.toml or setup.py on the way from ``tree / prefix`` up to ``tree``.

    Raise LiecbenchError if there is none. ``label`` names the revision in the error message.
    """
    here = tree / prefix
    for directory in (here, *(parent for parent in here.parents if parent.is_relative_to(tree))):
        if any((directory / name).is_file() for name in ("pyproject.toml", "setup.py")):
            return directory
    message = f"{label} has no pyproject.toml or setup.py in {prefix or 'its top directory'} or above"
    raise LiecbenchError(message, "run it in the directory of a Python package")


def _git(directory: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> CompletedProcess[str]:
    git = shutil.which("git")
    if git is None:
        raise MachineError("check revisions: git is not installed", "install it")
    environment = {**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **(variables or {})}
    return run_captured([git, *arguments], directory, environment)
