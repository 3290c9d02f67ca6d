from pathlib import Path

import pytest

from liecbench.diagnostics import link_support
from tests.process_tree import ROOT


def test_a_probe_that_takes_too_long_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(link_support, "_PROBE_SECONDS", 0.01)
    opened = sorted(Path("/proc/self/fd").iterdir())
    children = _children()

    report = link_support.probe_link()

    assert report == {"reason": "building a link took more than 0.01 s"}
    assert sorted(Path("/proc/self/fd").iterdir()) == opened
    assert _children() == children


def _children() -> str:
    return Path("/proc/thread-self/children").read_text()
