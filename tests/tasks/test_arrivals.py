from pathlib import Path

import pytest

from liecbench.tasks.official_archives import Archive
from tests.tasks.archive_server import CONTENT, NAME, Server, dripping, error_of, leave, partial, quietly
from tests.tasks.made_archives import entry


def test_a_server_that_stops_answering_is_an_error(
    server: Server, archive: Archive, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liecbench.tasks.arrivals._TIMEOUT_SECONDS", 1.0)
    server.goes_on.clear()
    said = error_of(archive, directory)

    assert f"{server.url}: timed out; check the network; nothing was lost: 65.5 kB of 1.5 MB are in" in said
    assert partial(directory).read_bytes() == CONTENT[: 2**16]


@pytest.mark.parametrize("kept", [b"", CONTENT[:1000]])
@pytest.mark.parametrize("slow", ["headers", "body", "chunk sizes"])
def test_a_server_that_drips_is_left(
    slow: str, kept: bytes, tmp_path: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes in time for the socket, but all of them together would take days."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr("liecbench.tasks.arrivals._WINDOW_SECONDS", 0.5)
    with dripping(slow) as port:
        (tmp_path / NAME).write_bytes(CONTENT)
        archive = entry(tmp_path / NAME, "things", url=f"http://127.0.0.1:{port}/{NAME}")
        if kept:
            leave(directory, kept)
        said = error_of(archive, directory)

    assert f"{archive.url}: fewer than 10.0 kB per second for 0.5 seconds; check the network; noth" in said


def test_a_download_has_a_most_time(
    server: Server, archive: Archive, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liecbench.tasks.arrivals._MOST_SECONDS", 0.36)
    server.seconds_a_chunk = 0.1
    said = error_of(archive, directory)

    assert f"{server.url}: not complete after 0.0001 hours; check the network; nothing was lost: " in said
    server.seconds_a_chunk = 0.0
    monkeypatch.undo()
    quietly(archive, directory)
