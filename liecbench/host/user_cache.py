"""The user's cache directory, for files that liecbench keeps between runs, such as datasets and profiles."""

import os
from pathlib import Path

from liecbench.errors import LiecbenchError


def user_cache() -> Path:
    """Return ``$XDG_CACHE_HOME/liecbench``, or ``~/.cache/liecbench`` if ``XDG_CACHE_HOME`` is unset or empty.

    The directory need not exist. Raises LiecbenchError if the path starts with ``~`` and the home directory is unknown.
    """
    return expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "liecbench"


def expanded(path: str) -> Path:
    """Return ``path`` with a home directory in the place of ``~``.

    Raises LiecbenchError if there is no such home directory.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise LiecbenchError(f"{path}: there is no such home directory", "give a path without ~") from None
