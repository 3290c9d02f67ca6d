import contextlib
import json
import os
import signal
import site
import subprocess
import tempfile
import threading
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import liecbench
from liecbench.check.paired.revisions import Revision, built
from liecbench.errors import Interruption, LiecbenchError
from tests.check.paired.probe_project import BUILD, WHEEL, commit, error_of, git, project
from tests.process_tree import GONE_SECONDS

SEE = """
import importlib.metadata, json, pathlib, dependency, probe
(entry,) = importlib.metadata.entry_points(group="probe.values")
print(json.dumps([probe.VALUE, entry.load(), importlib.metadata.version("probe"), dependency.NAME]))
"""


def listing(directory: Path) -> Mapping[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def seen_by(revision: Revision) -> Any:
    done = subprocess.run([str(revision.python), "-P", "-c", SEE], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module", autouse=True)
def offline() -> Iterator[None]:
    """Let pip use installed build tools only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        yield


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Package directories: one with an editable install of another copy and a dependency, then this interpreter's."""
    directory = tmp_path_factory.mktemp("shared")
    copy = tmp_path_factory.mktemp("copy")
    project(copy, "9.0", 9)
    (copy / "dependency.py").write_text("NAME = 'shared'\n")
    (directory / "editable.pth").write_text(f"{copy}\n")
    metadata = directory / "probe-9.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: probe\nVersion: 9.0\n")
    (metadata / "entry_points.txt").write_text("[probe.values]\nvalue = probe:VALUE\n")
    (metadata / "INSTALLER").write_text("pip\n")
    (metadata / "RECORD").write_text("".join(f"{path.name},,\n" for path in directory.glob("*.pth")))
    (metadata / "direct_url.json").write_text(json.dumps({"url": copy.as_uri(), "dir_info": {"editable": True}}))
    return [directory, *map(Path, site.getsitepackages())]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """The built revisions, the progress lines, and listings of checkout and shared packages before and after."""

    revisions: Sequence[Revision]
    said: Sequence[str]
    before: Any
    after: Any


def state(repository: Path, shared: Sequence[Path]) -> Any:
    asked = (["status", "--porcelain"], ["worktree", "list"], ["branch", "--all", "--verbose"], ["stash", "list"])
    index = (repository / ".git" / "index").read_bytes()
    return [git(repository, *arguments) for arguments in asked], index, listing(shared[0])


@pytest.fixture(scope="module")
def installed(repository: Path, shared: list[Path]) -> Iterator[Built]:
    """Both revisions, built from a directory inside the project, with the project in PYTHONPATH."""
    said: list[str] = []
    before = state(repository, shared)
    with contextlib.ExitStack() as stack:
        project = repository / "plugins" / "probe"
        with contextlib.chdir(project / "probe"), patch.dict(os.environ, {"PYTHONPATH": str(project)}):
            revisions = stack.enter_context(built(["first", "main"], said.append, shared=shared))
        yield Built(revisions=revisions, said=said, before=before, after=state(repository, shared))


def test_revisions_have_their_name_and_commit(repository: Path, installed: Built) -> None:
    hashes = [git(repository, "rev-parse", name) for name in ("main~1", "main")]

    assert [("first", hashes[0]), ("main", hashes[1])] == [(r.name, r.commit) for r in installed.revisions]


def test_each_revision_hides_an_editable_install(installed: Built) -> None:
    actual = [seen_by(revision) for revision in installed.revisions]

    assert actual == [[1, 1, "1.0", "shared"], [2, 2, "2.0", "shared"]]


def test_each_build_is_announced(installed: Built) -> None:
    first, main = (revision.commit[:12] for revision in installed.revisions)

    assert installed.said == [f"building revision first ({first})", f"building revision main ({main})"]


def test_the_checkout_and_the_shared_packages_stay_unchanged(installed: Built) -> None:
    assert installed.before == installed.after


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory for temporary files."""
    directory = tmp_path / "scratch"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


def test_a_revision_against_itself_is_built_twice_and_deleted_after_an_error(lone: Path, scratch: Path) -> None:
    commit(lone, "one")
    found = []
    with contextlib.suppress(KeyError), built(["HEAD", "HEAD"], lambda _: None) as revisions:
        found += [(r.commit, r.python, r.python.is_file()) for r in revisions]
        raise KeyError
    one = git(lone, "rev-parse", "HEAD")
    pythons = {python for _, python, _ in found}

    assert ([(one, True)] * 2, 2, []) == (
        [(commit, there) for commit, _, there in found],
        len(pythons),
        [*scratch.iterdir()],
    )


def test_the_error_of_a_failed_build_is_quoted(lone: Path, scratch: Path) -> None:
    (lone / "probe" / "__init__.py").unlink()
    project(lone, "not a version", 1)
    commit(lone, "one")
    said: list[str] = []
    with pytest.raises(LiecbenchError) as raised, built(["HEAD"], said.append):
        pass
    name = f"revision HEAD ({git(lone, 'rev-parse', 'HEAD')[:12]})"
    head, *quoted = str(raised.value).splitlines()

    assert (head, said, [*scratch.iterdir()]) == (
        f"{name} cannot be installed; install its build requirements here (hatchling), "
        "or name a revision that builds; pip says",
        [
            f"building {name}",
            f"{name} does not build with the build tools installed here: pip downloads those that it asks for",
        ],
        [],
    )
    assert "Invalid version `not a version`" in quoted[-1]


def test_pythonpath_does_not_hide_the_revision(installed: Built) -> None:
    assert all(revision.python.exists() for revision in installed.revisions)


def test_a_project_without_a_module_is_refused(lone: Path) -> None:
    project(lone, "1.0", 1, build=BUILD + "[tool.hatch.build.targets.wheel]\nbypass-selection = true\n")
    (lone / "probe").rename(lone / "other")
    commit(lone, "one")

    assert error_of("HEAD").partition(") ")[2] == "installs no module; run it in the directory of a Python package"


def test_an_interruption_ends_the_build(lone: Path, scratch: Path, tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    project(lone, "1.0", 1, build=BUILD + WHEEL + "[tool.hatch.build.hooks.custom]\n")
    hook = f"import os, pathlib, time\npathlib.Path({str(noted)!r}).write_text(str(os.getpid()))\ntime.sleep(600)\n"
    (lone / "hatch_build.py").write_text(hook)
    commit(lone, "one")

    def interrupt() -> None:
        while not (noted.exists() and noted.read_text()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGUSR1)

    def on_signal(*_: object) -> None:
        raise Interruption

    before = signal.signal(signal.SIGUSR1, on_signal)
    try:
        thread = threading.Thread(target=interrupt, daemon=True)
        thread.start()
        with pytest.raises(Interruption), built(["HEAD"], lambda _: None):
            pass
        thread.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    builder = int(noted.read_text())

    assert (lives(builder), [*scratch.iterdir()]) == (False, [])


def lives(process: int) -> bool:
    """Return True if the process still runs after ``GONE_SECONDS``; an orphan may not be reaped at once."""
    deadline = time.monotonic() + GONE_SECONDS
    status = Path(f"/proc/{process}/status")
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            if "State:\tZ" not in status.read_text():
                time.sleep(0.01)
                continue
        return False
    return True


def test_a_damaged_project_file_is_named(lone: Path) -> None:
    (lone / "pyproject.toml").write_text("[build-system\n")
    commit(lone, "one")

    said = error_of("HEAD").partition("): ")[2]

    assert (said[:16], said[-29:]) == ("pyproject.toml: ", "; name a revision that builds")


def test_missing_pip_is_an_error(repository: Path, tmp_path: Path) -> None:
    venv.EnvBuilder(symlinks=True).create(tmp_path / "bare")
    code = "from liecbench.check.paired.revisions import built\nwith built(['main'], print): pass"
    done = subprocess.run(
        [str(tmp_path / "bare" / "bin" / "python"), "-P", "-c", code],
        cwd=repository / "plugins" / "probe",
        env={**os.environ, "PYTHONPATH": str(Path(liecbench.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr.splitlines()[-1] == (
        "liecbench.errors.MachineError: check revisions: pip is not installed here; "
        "install it, as with `python -m ensurepip`"
    )
