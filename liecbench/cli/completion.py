"""Words that a shell completes: files, and names of scenarios, profiles, methods and compressors."""

import os
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from liecbench.config.bundled_scenarios import profile_names, scenario_names


def complete_scenarios(incomplete: str) -> list[str]:
    """Return the bundled scenarios, the YAML files and the directories that begin with ``incomplete``."""
    return [*_beginning(incomplete, scenario_names()), *_files(incomplete, (".yaml", ".yml"))]


def complete_profiles(incomplete: str) -> list[str]:
    """Return the bundled profiles, the JSON files and the directories that begin with ``incomplete``."""
    return [*_beginning(incomplete, profile_names()), *_files(incomplete, (".json",))]


def complete_methods(incomplete: str) -> list[str]:
    """Return the installed methods that begin with ``incomplete``."""
    return _installed("liecbench.algorithms", incomplete)


def complete_compressors(incomplete: str) -> list[str]:
    """Return the installed compressors that begin with ``incomplete``."""
    return _installed("liecbench.compressors", incomplete)


def _installed(group: str, incomplete: str) -> list[str]:
    # The registry would load each class, and with the first one torch, which takes seconds.
    return _beginning(incomplete, sorted(entry_points(group=group).names))


def _beginning(incomplete: str, names: Sequence[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _files(incomplete: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    folder, start = os.path.split(incomplete)
    try:
        entries = sorted(Path(folder or ".").iterdir())
    except OSError:
        return
    for entry in entries:
        path = os.path.join(folder, entry.name)  # noqa: PTH118 - as it was typed, ./ included
        is_hidden = entry.name.startswith(".") and not start.startswith(".")
        if is_hidden or not entry.name.startswith(start):
            continue
        if entry.is_dir():
            yield f"{path}/"
        elif entry.suffix in suffixes:
            yield path
