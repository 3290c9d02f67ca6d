from collections.abc import Iterator
from pathlib import Path

import pytest

from liecbench.tasks.official_archives import Archive
from tests.tasks.archive_server import CONTENT, NAME, Server, serving
from tests.tasks.made_archives import entry


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    with serving(Server()) as running:
        yield running


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "new" / "data"


@pytest.fixture
def archive(server: Server, tmp_path: Path) -> Archive:
    (tmp_path / NAME).write_bytes(CONTENT)
    return entry(tmp_path / NAME, "things", url=server.url)
