"""Revisions of a package, each installed beside the dependencies that the running interpreter has."""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import site
import subprocess
import sysconfig
import tarfile
import tempfile
import tomllib
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liecbench.check.paired.interpreters import ALONE
from liecbench.errors import LiecbenchError, MachineError

_OPTION = "--pair-revisions"
_SHALLOW = (
    "this clone is shallow: fetch more history with `git fetch --unshallow` "
    "(a CI checkout has an option for the whole history, such as fetch-depth: 0)"
)
_UNKNOWN = "name a commit, branch or tag of this repository, or `git fetch` it first"
_QUOTED_LINES = 8
_IMPORT = "import importlib, sys; importlib.import_module(sys.argv[1])"
_LOCATE = """
import importlib.util, json, sys
specs = {name: importlib.util.find_spec(name) for name in sys.argv[1:]}
print(json.dumps({name: spec.origin or [*spec.submodule_search_locations][0] for name, spec in specs.items() if spec}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """An installed revision: what the user calls it, its full hash, and an interpreter that imports it."""

    name: str
    commit: str
    python: Path

    def __str__(self) -> str:
        return f"revision {self.name} ({self.commit[:12]})"


@contextlib.contextmanager
def built(
    revisions: Sequence[str], say: Callable[[str], None], *, shared: Sequence[Path] | None = None
) -> Iterator[list[Revision]]:
    """Install revisions of the repository around the current directory, each by itself, until the context ends.

    What is installed is the project nearest to the current directory, as committed; everything else comes from
    ``shared``: directories of packages, this interpreter's own unless given. Start the interpreters with ``-P`` (or
    PYTHONSAFEPATH), or the current directory comes before the revision. LiecbenchError where one cannot be installed.
    """
    top, prefix = _repository()
    commits = [_commit(top, name) for name in revisions]
    if importlib.util.find_spec("pip") is None:
        raise MachineError(f"{_OPTION}: pip is not installed here", "install it, as with `python -m ensurepip`")
    with tempfile.TemporaryDirectory(prefix="liecbench-revisions-") as scratch:
        installed = []
        for number, (name, commit) in enumerate(zip(revisions, commits, strict=True)):
            home = Path(scratch).resolve() / str(number)
            revision = Revision(name=name, commit=commit, python=home / "environment" / "bin" / "python")
            say(f"building {revision}")
            project = _project(revision, _export(top, revision, home / "tree"), prefix)
            packages = _make_environment(home / "environment", _own_directories() if shared is None else shared)
            _install(revision, project, say)
            _check_imports(revision, packages)
            installed.append(revision)
        yield installed


def _repository() -> tuple[Path, str]:
    """Top of the working tree, and the current directory below it."""
    asked = _git(Path.cwd(), "rev-parse", "--show-toplevel", "--show-prefix")
    if asked.returncode:
        message = f"{_OPTION}: git finds no working tree here ({' '.join(asked.stderr.split())})"
        raise LiecbenchError(message, "run it inside the repository whose revisions are to be compared")
    top, prefix, *_ = asked.stdout.split("\n")
    return Path(top), prefix


def _commit(top: Path, name: str) -> str:
    if name.startswith(("-", "^")):
        raise LiecbenchError(f"{_OPTION} {name}: a revision cannot begin with {name[0]}", _UNKNOWN)
    asked = _git(top, "rev-parse", "--verify", f"{name}^{{commit}}")
    if asked.returncode:
        shallow = _git(top, "rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        raise LiecbenchError(f"{_OPTION} {name}: there is no such commit here", _SHALLOW if shallow else _UNKNOWN)
    return asked.stdout.strip()


def _export(top: Path, revision: Revision, tree: Path) -> Path:
    tree.mkdir(parents=True)
    archive = tree.with_suffix(".tar")
    done = _git(top, "archive", "--format=tar", f"--output={archive}", revision.commit)
    if done.returncode:
        message = f"{revision} cannot be exported: {done.stderr.strip()}"
        raise LiecbenchError(message, "`git fsck` says whether the repository lacks something")
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(tree, filter="data")
    except tarfile.FilterError as error:
        raise LiecbenchError(f"{revision} cannot be exported: {error}", "links must stay inside the tree") from error
    archive.unlink()
    return tree


def _project(revision: Revision, tree: Path, prefix: str) -> Path:
    """What is to be installed: the nearest project at or above the place of the current directory in the tree."""
    here = tree / prefix
    for directory in (here, *(parent for parent in here.parents if parent.is_relative_to(tree))):
        if any((directory / name).is_file() for name in ("pyproject.toml", "setup.py")):
            return directory
    message = f"{revision} has no pyproject.toml or setup.py in {prefix or 'its top directory'} or above"
    raise LiecbenchError(message, "run it in the directory of a Python package")


def _own_directories() -> list[Path]:
    """Where this interpreter has its packages."""
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    return [path for path in map(Path, (*user, *site.getsitepackages())) if path.is_dir()]


def _make_environment(directory: Path, shared: Sequence[Path]) -> Path:
    """A virtual environment that ends with what is shared; where its own packages go."""
    venv.EnvBuilder(symlinks=True).create(directory)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(directory)}))
    # A path on a line of its own would be added without its .pth files, and with them its editable installs.
    calls = "; ".join(f"site.addsitedir({str(path)!a})" for path in shared)
    (packages / "shared.pth").write_text(f"import site; {calls}\n")
    return packages


def _install(revision: Revision, project: Path, say: Callable[[str], None]) -> None:
    """Build with what is installed here, which asks no network; what lacks something builds with what pip fetches."""
    requires, backend = _build_system(revision, project)
    importable = _run([str(revision.python), "-P", "-c", _IMPORT, backend], project.parent).returncode == 0
    done = _pip_install(revision, project, *(["--no-build-isolation"] if importable else []))
    if done.returncode and importable:
        say(f"{revision} does not build with what is installed here: pip fetches what it builds with")
        isolated = _pip_install(revision, project)
        done = done if isolated.returncode else isolated
    if done.returncode:
        remedy = f"install here what it builds with ({', '.join(requires)}), or name a revision that builds"
        printed = _last_lines(done.stdout + done.stderr)
        raise LiecbenchError(f"{revision} cannot be installed", f"{remedy}; pip says\n{printed}")


def _pip_install(revision: Revision, project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    # A copy among what is shared is not for pip to take out.
    settings = ["--ignore-installed", "--no-deps", "--quiet", "--no-input", "--disable-pip-version-check"]
    command = [str(revision.python), "-P", "-m", "pip", "install", *settings, *options, str(project)]
    # An exported tree has no tags to derive a version from.
    version = {"SETUPTOOLS_SCM_PRETEND_VERSION": f"0+g{revision.commit[:12]}"}
    return _run(command, project.parent, {**version, **os.environ})


def _build_system(revision: Revision, project: Path) -> tuple[Sequence[str], str]:
    """What a project builds with, and the module that builds it."""
    path = project / "pyproject.toml"
    try:
        settings: dict[str, Any] = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LiecbenchError(f"{revision}: pyproject.toml: {error}", "name a revision that builds") from error
    system = settings.get("build-system", {})
    backend = system.get("build-backend", "setuptools.build_meta")
    return system.get("requires", ["setuptools"]), backend.partition(":")[0]


def _check_imports(revision: Revision, packages: Path) -> None:
    """A revision that is not what is imported would be compared as if it were."""
    entries = [path for path in packages.iterdir() if path.is_dir() or path.suffix in {".py", ".so"}]
    names = sorted({path.name.partition(".")[0] for path in entries} - {"__pycache__"})
    modules = [name for name in names if name.isidentifier()]
    if not modules:
        raise LiecbenchError(f"{revision} installs no module", "run it in the directory of a Python package")
    located = _run([str(revision.python), "-P", "-c", _LOCATE, *modules], packages, {**os.environ, **ALONE})
    for module, where in json.loads(located.stdout).items():
        if not Path(where).resolve().is_relative_to(packages.resolve()):
            message = f"{revision}: Python would import {module} from {where} instead"
            raise LiecbenchError(message, "take that out of this environment")


def _last_lines(printed: str) -> str:
    """The end of what went wrong; pip closes it with advice of its own."""
    lines = [line.rstrip() for line in printed.partition("[end of output]")[0].splitlines()]
    return "\n".join([line for line in lines if line][-_QUOTED_LINES:])


def _git(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    git = shutil.which("git")
    if git is None:
        raise MachineError(f"{_OPTION}: git is not installed", "install it")
    return _run([git, *arguments], directory, {**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"})


def _run(
    command: Sequence[str], directory: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; what interrupts it ends all that it has started."""
    with subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        process_group=0,
    ) as process:
        try:
            printed, complaints = process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, printed, complaints)
