"""Timing sessions of the fewest rounds, with bursts of 50 ms; usual ones have more and longer ones.

``shorten(monkeypatch)`` is for commands in the test's process, the prefix ``SHORT_SESSIONS`` for those in their own.
"""

import dataclasses
import runpy
import sys
from typing import Any, Final

import pytest

from liecbench.launch import launch
from liecbench.launch.torchrun import Torchrun

# Put before a command: its ranks have short sessions.
SHORT_SESSIONS: Final = [sys.executable, "-P", "-m", "tests.short_sessions"]


def shorten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processes that ranks are forked from import the module that shortens their sessions."""
    also_import(monkeypatch, "tests.short_sessions_of_ranks")


def also_import(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Let the processes that ranks are forked from import a module that changes something in them."""
    training_ranks = launch._training_ranks

    def with_module(*arguments: Any, **options: Any) -> Torchrun:
        torchrun = training_ranks(*arguments, **options)
        return dataclasses.replace(torchrun, imports=(*torchrun.imports, module))

    monkeypatch.setattr(launch, "_training_ranks", with_module)


if __name__ == "__main__":
    # The arguments are a command line as tests/commands.py makes it.
    sys.argv = ["liecbench", *sys.argv[sys.argv.index("liecbench") + 1 :]]
    shorten(pytest.MonkeyPatch())
    runpy.run_module("liecbench", run_name="__main__")
