import http.server
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from rich.console import Console

from liecbench.errors import LiecbenchError
from liecbench.tasks.download import download, fetch
from liecbench.tasks.official_archives import Archive
from tests.tasks.made_archives import entry
from tests.waiting import TIMEOUT_SECONDS, wait_for

CONTENT = np.random.default_rng(0).bytes(1_500_000)
NAME = "things.tar.gz"


@dataclass
class Server:
    """An HTTP server on the loopback with a configurable behaviour."""

    content: bytes = CONTENT
    ranges: bool = True
    says_length: bool = True
    cuts: list[int] = field(default_factory=list)
    status: int | None = None
    reason: str | None = None
    seconds_a_chunk: float = 0.0
    goes_on: threading.Event = field(default_factory=threading.Event)  # while it is not set, one chunk is sent
    asked: list[str | None] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self.goes_on.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{NAME}"


def handler_of(server: Server) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            server.asked.append(asked)
            if server.status is not None:
                self.send_error(server.status, server.reason)
                return
            first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and server.ranges else 0
            if first and first >= len(server.content):
                self.send_error(416)
                return
            body = server.content[first:]
            self.send_response(206 if asked and server.ranges else 200)
            if asked and server.ranges:
                self.send_header("Content-Range", f"bytes {first}-{len(server.content) - 1}/{len(server.content)}")
            if server.says_length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self._send(body[: server.cuts.pop(0)] if server.cuts else body)

        def _send(self, body: bytes) -> None:
            for start in range(0, len(body), 2**16):
                try:
                    self.wfile.write(body[start : start + 2**16])
                except OSError:
                    return  # the client has closed the connection
                time.sleep(server.seconds_a_chunk)
                server.goes_on.wait(TIMEOUT_SECONDS)

        def log_message(self, *arguments: Any) -> None:
            pass

    return Handler


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler_of(server)) as listening:
        server.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.goes_on.set()
            listening.shutdown()
            thread.join()


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


def quietly(archive: Archive, directory: Path) -> str:
    """Download the archive; return what was printed."""
    console = Console(file=io.StringIO(), width=80)
    try:
        assert download(archive, directory, console) == directory / NAME
    finally:
        said = console.file.getvalue()  # type: ignore[attr-defined]
    assert (directory / NAME).read_bytes() == CONTENT
    assert [path.name for path in directory.iterdir()] == [NAME]
    return str(said)


def error_of(archive: Archive, directory: Path) -> str:
    with pytest.raises(LiecbenchError) as caught:
        download(archive, directory, Console(file=io.StringIO()))
    return str(caught.value)


def partial(directory: Path) -> Path:
    return directory / f"{NAME}.partial"


def leave(directory: Path, content: bytes) -> None:
    directory.mkdir(parents=True)
    partial(directory).write_bytes(content)


@pytest.mark.parametrize("says_length", [True, False])
def test_an_archive_is_downloaded_and_checked(
    server: Server, archive: Archive, directory: Path, says_length: bool
) -> None:
    server.says_length = says_length
    said = quietly(archive, directory)

    assert f"{directory / NAME}: 1.5 MB, SHA-256 checked" in said
    assert server.asked == [None]


def test_an_existing_archive_is_not_downloaded_again(server: Server, archive: Archive, directory: Path) -> None:
    quietly(archive, directory)

    assert f"{directory / NAME} is there already: 1.5 MB, SHA-256 checked" in quietly(archive, directory)
    assert len(server.asked) == 1


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT[:-1] + b"?", b""])
def test_a_wrong_archive_is_downloaded_again(archive: Archive, directory: Path, content: bytes) -> None:
    directory.mkdir(parents=True)
    (directory / NAME).write_bytes(content)

    assert "downloading it again" in quietly(archive, directory)


def test_a_cut_connection_loses_nothing(server: Server, archive: Archive, directory: Path) -> None:
    server.cuts = [600_000]
    said = error_of(archive, directory)

    assert f"{server.url}: the server closed the connection; check the network; nothing was lost: 600.0 kB of" in said
    assert f"1.5 MB are in {partial(directory)}, and the same command goes on from there" in said
    assert partial(directory).read_bytes() == CONTENT[:600_000]
    quietly(archive, directory)
    assert server.asked == [None, "bytes=600000-"]


def test_without_range_requests_the_whole_file_is_downloaded_again(
    server: Server, archive: Archive, directory: Path
) -> None:
    server.ranges = False
    leave(directory, CONTENT[:700_000])

    assert "The server sends whole files only; 700.0 kB come again" in quietly(archive, directory)
    assert server.asked == ["bytes=700000-"]


def test_a_complete_partial_file_needs_no_server(server: Server, archive: Archive, directory: Path) -> None:
    leave(directory, CONTENT)
    quietly(archive, directory)

    assert server.asked == []


def test_a_partial_file_that_is_too_long_is_downloaded_again(server: Server, archive: Archive, directory: Path) -> None:
    leave(directory, CONTENT + b"more")
    quietly(archive, directory)

    assert server.asked == [None]


def test_a_server_that_has_no_more_leaves_it_to_the_check(server: Server, archive: Archive, directory: Path) -> None:
    server.content = CONTENT[:500_000]
    leave(directory, CONTENT[:500_000])
    said = error_of(archive, directory)

    assert server.asked == ["bytes=500000-"]
    assert "gave something else" in said
    assert "has 500000 bytes; the official things.tar.gz has 1500000; it was removed" in said
    assert not list(directory.iterdir())


def test_a_wrong_checksum_removes_what_came(server: Server, archive: Archive, directory: Path) -> None:
    server.content = CONTENT[:-1] + b"?"
    said = error_of(archive, directory)

    assert f"{server.url} gave something else: {partial(directory)} has the SHA-256" in said
    assert "it was removed; try again later, or get it elsewhere and give the dataset its path" in said
    assert not list(directory.iterdir())
    server.content = CONTENT
    quietly(archive, directory)


def test_a_partial_file_of_another_download_is_found_out(archive: Archive, directory: Path) -> None:
    leave(directory, b"?" * 1000)

    assert "gave something else" in error_of(archive, directory)
    quietly(archive, directory)


def test_a_file_of_another_length_is_refused_before_it_comes(server: Server, archive: Archive, directory: Path) -> None:
    server.content, server.ranges = b"<html>Log in to this network</html>", False
    leave(directory, CONTENT[:1000])

    assert f"{server.url} is a file of 35 bytes, not of 1500000; try again later" in error_of(archive, directory)
    assert partial(directory).read_bytes() == CONTENT[:1000]


def test_a_server_cannot_fill_the_disk(server: Server, archive: Archive, directory: Path) -> None:
    server.content, server.says_length = CONTENT * 20, False

    assert "gave something else" in error_of(archive, directory)
    assert not list(directory.iterdir())


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (503, "Service Unavailable")])
def test_errors_of_the_server_are_reported(
    server: Server, archive: Archive, directory: Path, status: int, reason: str
) -> None:
    server.status = status

    assert f"{server.url}: the server answers {status} {reason}; try again later" in error_of(archive, directory)
    assert not list(directory.iterdir())


def test_a_server_that_stops_answering_is_an_error(
    server: Server, archive: Archive, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liecbench.tasks.arrivals._TIMEOUT_SECONDS", 1.0)
    server.goes_on.clear()
    said = error_of(archive, directory)

    assert f"{server.url}: timed out; check the network; nothing was lost: 65.5 kB of 1.5 MB are in" in said
    assert partial(directory).read_bytes() == CONTENT[: 2**16]


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize("kept", [b"", CONTENT[:2000]])
def test_an_unreachable_server_is_an_error(directory: Path, tmp_path: Path, kept: bytes) -> None:
    (tmp_path / NAME).write_bytes(CONTENT)
    archive = entry(tmp_path / NAME, "things", url=f"http://127.0.0.1:{closed_port()}/{NAME}")
    leave(directory, kept)
    said = error_of(archive, directory)

    assert f"{archive.url}: Connection refused; check the network; noth" in said
    assert [partial(directory).name] * bool(kept) == [path.name for path in directory.iterdir()]


def test_a_full_disk_is_an_error(archive: Archive, directory: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    directory.mkdir(parents=True)
    partial(directory).symlink_to("/dev/full")

    assert "No space left on device; make room; the same command goes on from there" in error_of(archive, directory)


def in_the_way(directory: Path) -> None:
    directory.parent.mkdir()
    directory.write_text("a file where a directory should be")


def archive_in_the_way(directory: Path) -> None:
    (directory / NAME).mkdir(parents=True)


def partial_in_the_way(directory: Path) -> None:
    partial(directory).mkdir(parents=True)


@pytest.mark.parametrize("prepare", [in_the_way, archive_in_the_way, partial_in_the_way])
def test_an_unwritable_directory_is_an_error(
    prepare: Callable[[Path], None], archive: Archive, directory: Path
) -> None:
    prepare(directory)

    assert "; set LIECBENCH_DATA to a directory that can be written" in error_of(archive, directory)


def test_two_downloads_do_not_mix(archive: Archive, directory: Path) -> None:
    leave(directory, CONTENT[:1000])
    with FileLock(directory / f"{NAME}.lock"):
        assert f"another process is downloading {partial(directory)}; wait for it" in error_of(archive, directory)
    quietly(archive, directory)


PROGRAM = """
import signal
import sys
from pathlib import Path
from filelock import FileLock
from rich.console import Console
from liecbench.tasks.download import download
from liecbench.tasks.official_archives import Archive
signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts tests in the background has it ignored
name, url, num_bytes, sha256, directory = sys.argv[1:]
archive = Archive(name=name, url=url, num_bytes=int(num_bytes), sha256=sha256, folder="")
download(archive, Path(directory), Console())
"""


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_download_goes_on(
    server: Server, archive: Archive, directory: Path, kind: signal.Signals
) -> None:
    server.goes_on.clear()
    values = [archive.name, archive.url, str(archive.num_bytes), archive.sha256, str(directory)]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *values],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    wait_for(lambda: partial(directory).exists() and partial(directory).stat().st_size, "the first bytes arrive")
    process.send_signal(kind)
    said, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    kept = partial(directory).stat().st_size
    server.goes_on.set()

    assert 0 < kept < len(CONTENT)
    if kind == signal.SIGINT:
        assert "Interrupted; nothing was lost: " in said
        assert f"of 1.5 MB are in {partial(directory)}, and the same command goes on from there" in said
    quietly(archive, directory)
    assert server.asked == [None, f"bytes={kept}-"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cifar_10", "there is no dataset 'cifar_10' to download; did you mean cifar10?"),
        ("tinyimagenet", "did you mean tiny_imagenet?"),
        ("xyz", "valid: cifar10, cifar100, tiny_imagenet"),
        ("digits", "digits needs no download"),
        ("text", "text needs no download"),
        ("synthetic", "synthetic needs no download"),
    ],
)
def test_names_without_an_archive_are_errors(name: str, expected: str, directory: Path) -> None:
    with pytest.raises(LiecbenchError) as caught:
        fetch(name, directory, Console(file=io.StringIO()))
    assert expected in str(caught.value)
    assert not directory.exists()


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import sys, liecbench.tasks.download; print({'torch', 'numpy', 'PIL', 'pydantic'} & sys.modules.keys())"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "set()\n"


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


@contextmanager
def dripping(slow: str) -> Iterator[int]:
    """Serve one client, with 20 bytes per second of a part of an answer that never ends."""
    begin = b"HTTP/1.1 200 OK\r\n" + b"Transfer-Encoding: chunked\r\n\r\n" * (slow == "chunk sizes")
    begin += b"Content-Length: 1500000\r\n\r\n" * (slow == "body")
    drop = b"x" if slow != "chunk sizes" else b"0"
    stop = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.recv(2**16)
            connection.sendall(begin)
            while not stop.wait(0.05):
                connection.sendall(drop)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            thread.join()


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


def test_a_pipe_in_the_place_of_the_download_is_refused(archive: Archive, directory: Path) -> None:
    directory.mkdir(parents=True)
    os.mkfifo(partial(directory))

    assert f"{partial(directory)}: No such device or address; set LIECBENCH_DATA" in error_of(archive, directory)


def test_what_a_server_says_is_no_control_code(server: Server, archive: Archive, directory: Path) -> None:
    server.status, server.reason = 404, "\x1b]0;t\x07" + "a" * 5000
    said = error_of(archive, directory)

    assert f"{server.url}: the server answers 404 \\u001b]0;t\\u0007aaa" in said
    assert len(said) < 1000
