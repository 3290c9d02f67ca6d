"""Git revisions of a package, each installed in its own virtual environment.

The virtual environment has only the package. All other packages are imported from this interpreter's environment.
"""

import contextlib
import importlib.util
import json
import os
import site
import subprocess
import sysconfig
import tomllib
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liecbench.check.paired.captured_command import run_captured
from liecbench.check.paired.git_revisions import commit_of, exported_project, repository
from liecbench.check.paired.interpreters import NO_PYTHONPATH
from liecbench.errors import LiecbenchError, MachineError
from liecbench.host.scratch_directory import scratch_directory

_QUOTED_LINES = 8
_IMPORT = "import importlib, sys; importlib.import_module(sys.argv[1])"
_LOCATE = """
import importlib.util, json, sys
specs = {name: importlib.util.find_spec(name) for name in sys.argv[1:]}
print(json.dumps({name: spec.origin or [*spec.submodule_search_locations][0] for name, spec in specs.items() if spec}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A git revision of the project, installed in a virtual environment.

    Attributes:
        name: The revision as the user wrote it.
        commit: Full hash of the revision's commit.
        python: Interpreter of the virtual environment.
    """

    name: str
    commit: str
    python: Path

    def __str__(self) -> str:
        return f"revision {self.name} ({self.commit[:12]})"


@contextlib.contextmanager
def built(
    revisions: Sequence[str], say: Callable[[str], None], *, shared: Sequence[Path] | None = None
) -> Iterator[list[Revision]]:
    """Install git revisions of a project, and remove the installations when the context ends.

    The project is in the current directory, or in the nearest directory above it that has a pyproject.toml or setup.py.
    Only committed files are installed. Start the interpreters of the revisions with ``-P`` or PYTHONSAFEPATH. Otherwise
    the interpreters import the project from the current directory.

    Args:
        revisions: Commits, branches or tags.
        say: Called with each line of progress.
        shared: The site-packages directories from which the revisions import all other packages; None means those of
            this interpreter.

    Yields:
        The installed revisions, in the order of ``revisions``.

    Raises:
        LiecbenchError: If a revision does not exist or cannot be installed.
        MachineError: If git or pip is not installed.
    """
    top, prefix = repository()
    commits = [commit_of(top, name) for name in revisions]
    if importlib.util.find_spec("pip") is None:
        raise MachineError("check revisions: pip is not installed here", "install it, as with `python -m ensurepip`")
    with scratch_directory("revisions") as scratch:
        installed = []
        for number, (name, commit) in enumerate(zip(revisions, commits, strict=True)):
            home = scratch / str(number)
            revision = Revision(name=name, commit=commit, python=home / "environment" / "bin" / "python")
            say(f"building {revision}")
            project = exported_project(top, commit, prefix, home / "tree", label=str(revision))
            packages = _make_environment(home / "environment", _own_directories() if shared is None else shared)
            _install(revision, project, say)
            _check_imports(revision, packages)
            installed.append(revision)
        yield installed


def _own_directories() -> list[Path]:
    """Return this interpreter's site-packages directories."""
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    return [path for path in map(Path, (*user, *site.getsitepackages())) if path.is_dir()]


def _make_environment(directory: Path, shared: Sequence[Path]) -> Path:
    """Make a virtual environment, and return the path of its packages.

    Python searches the directories ``shared`` after this path.
    """
    venv.EnvBuilder(symlinks=True).create(directory)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(directory)}))
    # For a plain path in a .pth file, Python ignores that directory's .pth files: editable installs would be missing.
    calls = "; ".join(f"site.addsitedir({str(path)!a})" for path in shared)
    (packages / "shared.pth").write_text(f"import site; {calls}\n")
    return packages


def _install(revision: Revision, project: Path, say: Callable[[str], None]) -> None:
    """Build the project in the directory ``project``, and install it for the revision's interpreter.

    If the revision's interpreter can import the project's build backend, build with this backend. If the import or the
    build fails, let pip download build tools.
    """
    requires, backend = _build_system(revision, project)
    importable = run_captured([str(revision.python), "-P", "-c", _IMPORT, backend], project.parent).returncode == 0
    done = _pip_install(revision, project, *(["--no-build-isolation"] if importable else []))
    if done.returncode and importable:
        say(f"{revision} does not build with the build tools installed here: pip downloads those that it asks for")
        isolated = _pip_install(revision, project)
        done = done if isolated.returncode else isolated
    if done.returncode:
        remedy = f"install its build requirements here ({', '.join(requires)}), or name a revision that builds"
        printed = _last_lines(done.stdout + done.stderr)
        raise LiecbenchError(f"{revision} cannot be installed", f"{remedy}; pip says\n{printed}")


def _pip_install(revision: Revision, project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    # pip must not uninstall a copy among the shared packages.
    # Without --no-compile, pip compiles every module, also those that the ranks never import.
    settings = ["--ignore-installed", "--no-deps", "--no-compile"]
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check"]
    command = [str(revision.python), "-P", "-m", "pip", "install", *settings, *quiet, *options, str(project)]
    # An exported tree has no tags to derive a version from.
    version = {"SETUPTOOLS_SCM_PRETEND_VERSION": f"0+g{revision.commit[:12]}"}
    return run_captured(command, project.parent, {**version, **os.environ})


def _build_system(revision: Revision, project: Path) -> tuple[Sequence[str], str]:
    """Return the build requirements of a project, and the module that is its build backend."""
    path = project / "pyproject.toml"
    try:
        settings: dict[str, Any] = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LiecbenchError(f"{revision}: pyproject.toml: {error}", "name a revision that builds") from error
    system = settings.get("build-system", {})
    backend = system.get("build-backend", "setuptools.build_meta")
    return system.get("requires", ["setuptools"]), backend.partition(":")[0]


def _check_imports(revision: Revision, packages: Path) -> None:
    """Raise LiecbenchError unless the revision's interpreter would import the revision's modules from ``packages``.

    ``packages`` is the directory that the revision is installed in. Also raise LiecbenchError if the directory has no
    module.
    """
    entries = [path for path in packages.iterdir() if path.is_dir() or path.suffix in {".py", ".so"}]
    names = sorted({path.name.partition(".")[0] for path in entries} - {"__pycache__"})
    modules = [name for name in names if name.isidentifier()]
    if not modules:
        raise LiecbenchError(f"{revision} installs no module", "run it in the directory of a Python package")
    located = run_captured(
        [str(revision.python), "-P", "-c", _LOCATE, *modules], packages, {**os.environ, **NO_PYTHONPATH}
    )
    for module, where in json.loads(located.stdout).items():
        if not Path(where).resolve().is_relative_to(packages.resolve()):
            message = f"{revision}: Python would import {module} from {where} instead"
            raise LiecbenchError(message, "remove that from this environment")


def _last_lines(printed: str) -> str:
    """Return the last ``_QUOTED_LINES`` lines of a failed build's output, without empty lines.

    ``printed`` is what pip printed: the build's output, then ``[end of output]`` and lines of pip itself.
    """
    lines = [line.rstrip() for line in printed.partition("[end of output]")[0].splitlines()]
    return "\n".join([line for line in lines if line][-_QUOTED_LINES:])
