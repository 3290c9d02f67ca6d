"""The messages between the ``liecbench`` command and its ranks, as lines of JSON: encode, send, receive, decode."""

import functools
import io
import json
import os
import select
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar, cast, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from liecbench.compressors.wrong_values import requirement
from liecbench.launch.events import Event, Refused
from liecbench.launch.messages import Message
from liecbench.launch.orders import PairedOrder
from liecbench.results.record_json import from_json as record_from_json
from liecbench.results.record_json import to_json
from liecbench.results.records import End, Epoch, Start
from liecbench.results.timing_record import Timing

M = TypeVar("M")
_EVENTS: Final[tuple[type[Event], ...]] = get_args(Event)
_PAIRED_ORDERS: Final[tuple[type[PairedOrder], ...]] = get_args(PairedOrder)


class RefusedError(Exception):
    """The kernel refused to create namespaces or links for a launch; the message says why."""


class StalledError(Exception):
    """No rank has sent an event for ``seconds``, so that the launch counts as hung."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def encode(message: Message) -> str:
    """Return a message as one line of JSON, without the newline."""
    if isinstance(message, Start | Epoch | Timing | End):
        return to_json(message)
    kind: Any = type(message)
    fields = _adapter(kind).dump_python(message, mode="json")
    return json.dumps({"type": message.type, **fields})


def decode(line: str | bytes, *kinds: type[M]) -> M:
    """Return the message in a line of JSON.

    Args:
        line: what ``encode`` returned.
        kinds: the classes of message that the line may hold.

    Raises:
        ValueError: if the line is not JSON, or not a message of one of these classes.
    """
    fields = from_json(line)
    name = fields.get("type") if isinstance(fields, dict) else None
    kind: Any = next((kind for kind in kinds if getattr(kind, "type", None) == name), None)
    if kind is None:
        raise ValueError(f"no {' or '.join(each.__name__ for each in kinds)}: {line!r}")
    if issubclass(kind, Start | Epoch | Timing | End):
        return cast("M", record_from_json(line))
    try:
        return cast("M", _adapter(kind).validate_python(fields))
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{kind.__name__}: {'.'.join(map(str, first['loc']))}: {requirement(first)}") from None


def decode_order(line: str | bytes) -> PairedOrder:
    """Return the ``OpenCell``, ``TrainBurst`` or ``CloseCell`` order that a line of JSON contains.

    These orders tell the ranks of one side of a paired comparison what to do. Raises ValueError if the line contains
    anything else.
    """
    return decode(line, *_PAIRED_ORDERS)


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def send(descriptor: int, message: Message) -> None:
    """Write a message and a newline to a file descriptor."""
    os.write(descriptor, encode(message).encode() + b"\n")


def write_plan(path: Path, plan: Message) -> None:
    """Write the plan to the file ``path``, which the ranks read when they start."""
    path.write_text(encode(plan) + "\n", encoding="utf-8")


def read_plan(path: Path, kind: type[M]) -> M:
    """Return the plan that ``write_plan`` wrote to ``path``; raise ValueError if it is no plan of class ``kind``."""
    return decode(path.read_bytes(), kind)


def receive_events(pipe: io.FileIO, stall_timeout: Callable[[], float] | None) -> Iterator[Event]:
    """Yield events as they arrive, until every process that writes to the pipe has closed it.

    Args:
        pipe: the read end of the pipe, unbuffered.
        stall_timeout: returns how many seconds to wait for the next event; called before each wait. None: wait forever.

    Raises:
        RefusedError: if the kernel refused to create namespaces or links for the launch.
        StalledError: if the next event did not come in time.
    """
    for line in _lines(pipe, stall_timeout):
        try:
            from_json(line)
        except ValueError:
            continue  # a rank was killed while it wrote this line, and another rank continued it
        event = decode(line, *_EVENTS)
        if isinstance(event, Refused):
            raise RefusedError(event.reason)
        yield event


def _lines(pipe: io.FileIO, stall_timeout: Callable[[], float] | None) -> Iterator[bytes]:
    """Yield each complete line of the pipe. Ignore an incomplete last line, which a killed process may leave.

    ``stall_timeout`` is called before each wait, and returns how many seconds to wait for more bytes. If
    ``stall_timeout`` is None, wait forever. Raises StalledError if no bytes come in time.
    """
    rest = b""
    while True:
        seconds = stall_timeout() if stall_timeout else None
        if not select.select([pipe], [], [], seconds)[0]:
            assert seconds is not None, "without a timeout select returns only when there is something to read"
            raise StalledError(seconds)
        chunk = pipe.read(2**16)
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
