"""Download a file in a thread, so that the command can give up on a server that is too slow.

The timeout of a socket is not enough. It limits only the time between two bytes, so a server that sends one byte per
second never exceeds it.
"""

import contextlib
import http.client
import queue
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self, TypeVar

from rich.filesize import decimal

_CHUNK_BYTES: Final = 2**18
_TIMEOUT_SECONDS: Final = 30.0
# Fewer bytes per second, on average over a window, mean that a download would take hours, or never end.
_LEAST_BYTES_PER_SECOND: Final = 10_000
_WINDOW_SECONDS: Final = 60.0
_MOST_SECONDS: Final = 6 * 3600.0
_WAITING_CHUNKS: Final = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """The start of an HTTP response: the status, and the number of bytes that follow, None if the server omits it."""

    status: int
    length: int | None


class Arrivals:
    """A context manager that downloads a file in a thread. The download ends when the ``with`` block ends.

    In the block, call ``answer`` for the HTTP status, then ``chunks`` for the bytes.

    Args:
        url: The address of the file.
        have: The number of bytes at the beginning of the file that the server need not send.
    """

    def __init__(self, url: str, have: int) -> None:
        self._url, self._have = url, have
        self._received: queue.Queue[Answer | bytes | Exception] = queue.Queue(_WAITING_CHUNKS)
        self._is_over = threading.Event()
        self._began = self._window_began = time.monotonic()
        self._window_bytes = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._receive, name="liecbench-download", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()

    def answer(self) -> Answer:
        """Wait for the HTTP status and the length of the server's answer, and return them.

        Raises:
            OSError: If the network fails; an ``urllib.error.HTTPError`` if the server answers with an error.
            http.client.HTTPException: If the answer is not HTTP, or too slow.
        """
        return self._next(Answer)

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of the server's HTTP response as they arrive. Call ``answer`` before this.

        Raises:
            OSError: If the network fails.
            http.client.HTTPException: If the bytes arrive too slowly.
        """
        while chunk := self._next(bytes):
            self._window_bytes += len(chunk)
            yield chunk

    def _next(self, kind: type[T]) -> T:
        while True:
            now = time.monotonic()
            if now >= self._began + _MOST_SECONDS:
                raise http.client.HTTPException(f"not complete after {_MOST_SECONDS / 3600:g} hours")
            if now >= self._window_began + _WINDOW_SECONDS:
                self._end_window(now)
            with contextlib.suppress(queue.Empty):
                found = self._received.get(timeout=max(0.0, self._window_began + _WINDOW_SECONDS - now))
                if isinstance(found, Exception):
                    raise found
                assert isinstance(found, kind), "the answer comes first, and then its bytes"
                return found

    def _end_window(self, now: float) -> None:
        if self._window_bytes < _LEAST_BYTES_PER_SECOND * _WINDOW_SECONDS:
            least = f"{decimal(_LEAST_BYTES_PER_SECOND)} per second"
            raise http.client.HTTPException(f"fewer than {least} for {_WINDOW_SECONDS:g} seconds")
        self._window_began, self._window_bytes = now, 0

    def _receive(self) -> None:
        headers = {"User-Agent": "liecbench"} | ({"Range": f"bytes={self._have}-"} if self._have else {})
        request = urllib.request.Request(self._url, headers=headers)  # noqa: S310 - an address of the table
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
                self._put(Answer(response.status, response.length))
                while not self._is_over.is_set():
                    chunk = response.read1(_CHUNK_BYTES)
                    self._put(chunk)
                    if not chunk:
                        return
        except Exception as error:
            self._put(error)

    def _put(self, item: Answer | bytes | Exception) -> None:
        while not self._is_over.is_set():
            with contextlib.suppress(queue.Full):
                self._received.put(item, timeout=0.1)
                return
