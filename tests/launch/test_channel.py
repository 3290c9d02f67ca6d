"""Messages as lines of JSON, written out by hand, and events from a pipe."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from liecbench.config.cell import Cell
from liecbench.config.jobs import Contestant, Job, Session
from liecbench.config.own_code import CodeFile, Part
from liecbench.launch.channel import (
    RefusedError,
    StalledError,
    decode,
    decode_order,
    encode,
    read_plan,
    receive_events,
    send,
    write_plan,
)
from liecbench.launch.events import DiskError, Event, Heartbeat, Lost, Notice, Ready, Refused, StepProgress
from liecbench.launch.messages import Message
from liecbench.launch.orders import CloseCell, OpenCell, PairedOrder, TrainBurst
from liecbench.launch.plans import PairedPlan, TrainingPlan
from tests.ledgers import end, spec

LINES: dict[str, Message] = {
    '{"type": "notice", "text": "ü"}': Notice(text="ü"),
    '{"type": "heartbeat"}': Heartbeat(),
    '{"type": "lost", "reason": "r", "disk": {"path": null, "reason": "full"}}': Lost(
        reason="r", disk=DiskError(path=None, reason="full")
    ),
    '{"type": "close"}': CloseCell(),
    '{"type": "burst", "first": 3, "steps": 8, "added_seconds": {"dense": 0.5}}': TrainBurst(
        first=3, steps=8, added_seconds={"dense": 0.5}
    ),
    '{"type": "paired_plan", "backend": "gloo", "device": "cpu", "share_gpus": false, "orders": "o", "paced": true}': (
        PairedPlan(backend="gloo", device="cpu", orders="o", paced=True)
    ),
}


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The read and the write end; a test closes what it needs closed."""
    ends = os.pipe()
    yield ends
    for descriptor in ends:
        try:
            os.close(descriptor)
        except OSError:
            continue


def received(reading: int, seconds: float | None = None) -> list[Message]:
    with os.fdopen(os.dup(reading), "rb", buffering=0) as pipe:
        return list(receive_events(pipe, None if seconds is None else lambda: seconds))


@pytest.mark.parametrize("line", LINES)
def test_a_message_is_a_line(line: str) -> None:
    message = LINES[line]

    assert message == decode(line, type(message))
    assert message == decode(encode(message), type(message))


def test_a_plan_keeps_its_cells(tmp_path: Path) -> None:
    cell = Cell.from_spec(spec())
    code: dict[Part, CodeFile] = {"model": CodeFile(module="mine", sha256="0" * 64)}
    jobs = (Job(cell=cell, attempt=2, epochs_done=1, data_sha256="d", code=code),)
    sessions = (Session(contestants=(Contestant(cell=cell, jobs=jobs),), precision=0.02),)
    plan = TrainingPlan(
        directory="r", backend="nccl", device="cuda", share_gpus=True, trace=True, jobs=jobs, sessions=sessions
    )
    write_plan(tmp_path / "plan.json", plan)

    assert plan == read_plan(tmp_path / "plan.json", TrainingPlan)


def test_a_loss_that_is_not_finite_is_sent() -> None:
    event = StepProgress(cell="a", epoch=1, step=1, steps=2, loss=float("inf"))

    assert event == decode(encode(event), StepProgress)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"type": "close"}', "no Notice: "),
        ('{"text": "a"}', "no Notice: "),
        ("[]", "no Notice: "),
        ('{"type": "notice"}', "Notice: text: Field required"),
        ('{"type": "notice", "text": 3}', "Notice: text: should be text"),
        ('{"type": "notice", "te', "EOF"),
    ],
)
def test_a_line_that_is_no_such_message_is_refused(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(line, Notice)


def test_orders_are_distinguished_by_type() -> None:
    orders: list[PairedOrder] = [OpenCell(cell={"no_such_field": 1}), TrainBurst(first=0, steps=1), CloseCell()]

    assert orders == [decode_order(encode(order)) for order in orders]
    with pytest.raises(ValueError, match="no OpenCell or TrainBurst or CloseCell"):
        decode_order(encode(Ready()))


def test_events_come_until_the_writer_is_gone(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    events: list[Event] = [Ready(), end("a"), Notice(text="b")]
    for event in events:
        send(writing, event)
    os.close(writing)

    assert events == received(reading)


def test_an_incomplete_line_of_a_killed_writer_is_dropped(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.write(writing, b'{"type": "noti{"type": "heartbeat"}\n')
    send(writing, Notice(text="a"))
    os.write(writing, b'{"type": "noti')
    os.close(writing)

    assert [Notice(text="a")] == received(reading)


def test_a_refusal_is_raised(pipe: tuple[int, int]) -> None:
    send(pipe[1], Refused(reason="no space"))
    with pytest.raises(RefusedError, match="no space"):
        received(pipe[0])


def test_a_stall_raises_an_error(pipe: tuple[int, int]) -> None:
    with pytest.raises(StalledError) as raised:
        received(pipe[0], 0.05)

    assert raised.value.seconds == 0.05
