"""Servers on the loopback from which tests download an archive, and what the downloads say and leave."""

import http.server
import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from liecbench.errors import LiecbenchError
from liecbench.tasks.download import download
from liecbench.tasks.official_archives import Archive
from tests.waiting import TIMEOUT_SECONDS

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
