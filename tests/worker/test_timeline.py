import json
from functools import partial
from pathlib import Path

from liecbench.algorithms.comm.timing import Span, Tracer
from liecbench.worker.timeline import Timeline, chrome_trace, traced_steps
from tests.distributed import run_ranks


def averages_every_eighth(step: int) -> str:
    return "averaging" if step % 8 == 7 else "compressed"


def test_the_first_steps_and_those_around_another_kind_are_traced() -> None:
    assert traced_steps(lambda _: "step", 0, 100) == {1, 2, 3}
    assert traced_steps(averages_every_eighth, 0, 100) == {1, 2, 3, 6, 7, 8}
    assert traced_steps(averages_every_eighth, 0, 2) == {1}
    assert traced_steps(averages_every_eighth, 0, 100, overlapped=3) == {1, 2, 3, 6, 7, 8, 9, 10}


def test_a_resumed_run_traces_its_own_first_steps() -> None:
    assert traced_steps(averages_every_eighth, 22, 100) == {23, 24, 25, 22}
    assert traced_steps(averages_every_eighth, 24, 100) == {25, 26, 27, 30, 31, 32}


def test_spans_of_traced_steps_are_kept(tmp_path: Path) -> None:
    tracer = Tracer()
    timeline = Timeline(tracer, lambda: tracer.add("send", "communication", 1, 1.5), {1}, tmp_path / "t.json")
    for step in range(3):
        timeline.step_begins(step)
        timeline.step_ended(step)

    assert timeline._spans == [(1, Span("send", "communication", 1, 1.5))]


def written(directory: Path) -> tuple[list[str | None], set[int]]:
    """Return the problem after each epoch of two steps, and the steps left to trace; one of two files is refused."""
    (directory / "taken").touch()
    problems = []
    for path in (directory / "t.json", directory / "taken" / "t.json"):
        timeline = Timeline(Tracer(), lambda: None, {1, 3}, path)
        problems += [timeline.epoch_ended(1), timeline.epoch_ended(3), timeline.epoch_ended(5)]
    return problems, timeline.steps


def test_the_file_is_written_after_its_last_step_and_a_refused_one_is_reported(tmp_path: Path) -> None:
    (problems, left), (others, _) = run_ranks(partial(written, tmp_path), 2)

    reason = f"the timeline could not be written: {tmp_path / 'taken' / 't.json'}: File exists"
    assert (problems, others, left) == ([None] * 4 + [reason, None], [None] * 6, set())
    assert json.loads((tmp_path / "t.json").read_text())["displayTimeUnit"] == "ms"


def test_a_rank_is_a_process_and_a_track_is_a_thread() -> None:
    ranks = [
        [(1, Span("send", "communication", 5.0, 5.25)), (1, Span("load", "training", 4.0, 4.5))],
        [(1, Span("load", "training", 4.5, 4.75))],
    ]
    events = chrome_trace(ranks)["traceEvents"]
    timed = [(e["pid"], e["tid"], e["name"], e["ts"], e["dur"], e["args"]) for e in events if e["ph"] == "X"]
    named = {(e["pid"], e.get("tid"), e["args"]["name"]) for e in events if e["ph"] == "M"}

    assert timed == [
        (0, 0, "load", 0.0, 5e5, {"step": 1}),
        (0, 1, "send", 1e6, 2.5e5, {"step": 1}),
        (1, 0, "load", 5e5, 2.5e5, {"step": 1}),
    ]
    assert named == {
        (0, None, "rank 0"),
        (0, 0, "training"),
        (0, 1, "communication"),
        (1, None, "rank 1"),
        (1, 0, "training"),
    }


def test_a_trace_without_spans_names_its_ranks() -> None:
    assert chrome_trace([[]])["traceEvents"] == [
        {"ph": "M", "name": "process_name", "pid": 0, "args": {"name": "rank 0"}}
    ]
