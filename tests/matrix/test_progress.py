import dataclasses
import io

import pytest
from rich.console import Console

from liecbench.config.cell import Cell
from liecbench.config.jobs import Contestant, Job, Session
from liecbench.launch.events import StepProgress, TimingProgress
from liecbench.launch.launch import Launch
from liecbench.launch.pending import Pending
from liecbench.matrix.progress import ConsoleProgress, achieved_rate
from liecbench.results.records import CellRecord
from tests.ledgers import end, epoch, spec, start

CELL = Cell.from_spec(spec(link="none"))
PENDING = Pending(jobs=(Job(cell=CELL),), cells=frozenset({CELL.id}))


def shown(*happened: CellRecord | StepProgress | TimingProgress, terminal: bool, term: str = "xterm") -> str:
    """Return what a console prints for these events of a run of one cell."""
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=120, color_system=None, _environ={"TERM": term})
    with ConsoleProgress(console, PENDING, 3) as progress:
        for event in happened:
            if isinstance(event, StepProgress | TimingProgress):
                progress.stepped(event)
            else:
                progress.recorded(event)
    return output.getvalue()


def step(number: int) -> StepProgress:
    return StepProgress(cell=CELL.id, epoch=1, step=number, steps=22, loss=2.5)


def test_plain_lines_are_printed_per_epoch() -> None:
    lines = shown(start(CELL.id), step(1), step(2), epoch(CELL.id), end(CELL.id), terminal=False).splitlines()

    assert len(lines) == 1
    assert "ddp · 2 workers · none · seed 0: epoch 1/2, loss 1.000, accuracy 50.0%, 1.00 s" in lines[0]
    assert lines[0].startswith("[2/3 cells")


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines() -> None:
    events = (start(CELL.id), step(1), epoch(CELL.id), end(CELL.id))

    assert shown(*events, terminal=True, term="dumb") == shown(*events, terminal=False)


def test_a_terminal_shows_a_bar_and_every_step() -> None:
    text = shown(start(CELL.id), step(7), epoch(CELL.id), terminal=True)

    assert "epoch 1/2, step 7/22, loss 2.500" in text
    assert "━" in text
    assert "2/3 cells, about" in text


def test_the_rounds_of_a_session_are_shown() -> None:
    event = TimingProgress(cell=CELL.id, round=3, rounds=10)

    assert "ddp · 2 workers · none · seed 0: timing, round 3/10" in shown(start(CELL.id), event, terminal=True)


def test_a_session_prints_a_plain_line_at_most_every_15_seconds() -> None:
    output = io.StringIO()
    now = [100.0]
    with ConsoleProgress(Console(file=output, width=120), PENDING, 3, clock=lambda: now[0]) as progress:
        progress.recorded(start(CELL.id))
        for seconds, number in ((101.0, 1), (114.0, 2), (115.0, 3), (129.0, 4), (131.0, 5)):
            now[0] = seconds
            progress.stepped(TimingProgress(cell=CELL.id, round=number, rounds=10))
            progress.stepped(step(number))
        progress.noticed("a warning")
        now[0] = 145.0
        progress.stepped(TimingProgress(cell=CELL.id, round=6, rounds=10))

    assert [line.partition("] ")[2] or line for line in output.getvalue().splitlines()] == [
        "ddp · 2 workers · none · seed 0: timing, round 3/10",
        "ddp · 2 workers · none · seed 0: timing, round 5/10",
        "a warning",
    ]


def test_a_contestant_without_jobs_is_shown_too() -> None:
    """It has no Start record: it was timed before, and is timed again only for the speed-ups of others."""
    company = Cell.from_spec(spec(link="7mbit"))
    launch = Launch(sessions=(Session(contestants=(Contestant(cell=company, jobs=()),), precision=0.02),))
    output = io.StringIO()
    with ConsoleProgress(Console(file=output, force_terminal=True, width=120), PENDING, 1) as progress:
        progress.launching(launch)
        progress.stepped(TimingProgress(cell=company.id, round=1, rounds=10))

    assert "timing, round 1/10" in output.getvalue()


def test_an_epoch_of_a_trajectory_has_no_seconds() -> None:
    untimed = dataclasses.replace(epoch(CELL.id), timed_steps=0, train_seconds=0.0)

    assert shown(start(CELL.id), untimed, terminal=False).endswith("accuracy 50.0%\n")


def test_the_first_line_of_an_error_is_printed_as_it_is() -> None:
    text = shown(start(CELL.id), end(CELL.id, status="failed", error="[red]lost[/red]\nTraceback"), terminal=False)

    assert ("failed: [red]lost[/red]" in text, "Traceback" in text) == (True, False)


def test_a_repeated_warning_is_printed_once() -> None:
    output = io.StringIO()
    with ConsoleProgress(Console(file=output, width=120), PENDING, 1) as progress:
        for text in ("no figures", "no trace", "no figures"):
            progress.noticed(text)

    assert output.getvalue().splitlines() == ["no figures", "no trace"]


@pytest.mark.parametrize(
    ("seconds", "timed", "wire", "expected"),
    [
        (2.0, 22, [500_000, 250_000], ", 2 Mbit/s"),
        # Half of the steps took two seconds, all of them moved the bytes.
        (2.0, 11, [500_000, 250_000], ", 1 Mbit/s"),
        (2.0, 22, None, ""),
        (0.0, 0, [500_000, 250_000], ""),
    ],
)
def test_the_achieved_rate_is_that_of_the_busiest_wire(
    seconds: float, timed: int, wire: list[int] | None, expected: str
) -> None:
    assert expected == achieved_rate(epoch("a", seconds=seconds, timed=timed, wire=wire))
