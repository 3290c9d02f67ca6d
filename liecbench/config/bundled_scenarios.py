"""The scenarios and device profiles that come with liecbench: their names and paths.

A scenario's name is, for example, ``quickstart``; a profile's name is, for example, ``h100-resnet18``.
"""

import itertools
import re
from pathlib import Path
from typing import Final

import liecbench
from liecbench.errors import LiecbenchError, ScenarioError, did_you_mean

_PACKAGE: Final = Path(liecbench.__file__).parent
# In an installed wheel they lie in the package, in a checkout beside it.
_PLACES: Final = (_PACKAGE / "scenarios", _PACKAGE.parent / "scenarios")
_SCENARIO: Final = ".yaml"
_PROFILE: Final = ".json"


def scenario_names() -> list[str]:
    """Return the names of the bundled scenarios, such as ``quickstart`` and ``paper/figure-2``."""
    return _names(_directory(), _SCENARIO)


def profile_names() -> list[str]:
    """Return the names of the bundled profiles of devices, such as ``h100-resnet18``."""
    return _names(_directory() / "profiles", _PROFILE)


def scenario_path(given: str | Path) -> Path:
    """Return the path of a scenario file or of a bundled scenario.

    Args:
        given: A path, or the name of a bundled scenario, such as ``quickstart``. ``given`` is taken as a path if it
            is absolute, begins with ``.``, has a suffix such as ``.yaml``, or is the path of an existing file.

    Returns:
        ``given`` if it is a path, even if no file exists there. Otherwise the path of the bundled scenario.

    Raises:
        ScenarioError: If ``given`` is neither a path nor the name of a bundled scenario. Also if ``given`` is
            ambiguous: it names a bundled scenario, and the working directory has a file ``<given>.yaml`` with other
            contents.
    """
    return _found(str(given), _directory(), _SCENARIO, "scenario", ScenarioError)


def profile_path(given: str | Path, *, base: Path = Path()) -> Path:
    """Return the path of a profile file or of a bundled profile.

    Args:
        given: A path, or the name of a bundled profile, such as ``h100-resnet18``. A text that names an existing file,
            has a suffix such as ``.json``, is absolute or begins with ``.`` is taken for a path. Any other text is
            taken for a name.
        base: The directory that relative paths are relative to.

    Returns:
        The path of the profile. If ``given`` is a path, the file may be missing.

    Raises:
        LiecbenchError: If ``given`` is not a path, and no bundled profile has this name. Also if ``base`` contains a
            file ``<given>.json`` whose contents differ from those of the bundled profile, so that either can be meant.
    """
    return _found(str(given), _directory() / "profiles", _PROFILE, "profile", LiecbenchError, base)


def question(name: str) -> str:
    """Return the question that a bundled scenario answers, from the comment at its beginning."""
    lines = (_directory() / f"{name}{_SCENARIO}").read_text(encoding="utf-8").splitlines()
    comment = [line.removeprefix("#").strip() for line in itertools.takewhile(lambda line: line[:1] == "#", lines)]
    found = re.search(r"Question: (.*?[?.])(?= |$)", " ".join(comment))
    return found[1] if found else ""


def _found(
    given: str, directory: Path, suffix: str, kind: str, error: type[LiecbenchError], base: Path = Path()
) -> Path:
    path = base / given
    if (path.exists() and not path.is_dir()) or path.suffix or Path(given).is_absolute() or given.startswith("."):
        return path
    known = _names(directory, suffix)
    if given not in known:
        message = f"{given}: there is neither such a file nor a bundled {kind} of this name"
        raise error(f"{message}; {did_you_mean(given, known)}")
    bundled, here = directory / f"{given}{suffix}", f"{given}{suffix}"
    if (base / here).is_file() and (base / here).read_bytes() != bundled.read_bytes():
        message = f"{given}: either the bundled {kind} or the file {here} can be meant"
        raise error(f"{message}; write ./{here} for the file, or use liecbench's own in another directory")
    return bundled


def _directory() -> Path:
    return next((place for place in _PLACES if place.is_dir()), _PLACES[0])


def _names(directory: Path, suffix: str) -> list[str]:
    paths = (path.relative_to(directory) for path in directory.rglob(f"*{suffix}"))
    return sorted(path.with_suffix("").as_posix() for path in paths)
