import json
from typing import Any

import pytest

from liecbench.results.records import Start
from tests.finished_run import ALGORITHMS, FinishedRun


def events_of(run: FinishedRun, algorithm: str) -> list[dict[str, Any]]:
    """Return the events with a duration of the algorithm's timeline."""
    (start,) = (record for record in run.records_of(algorithm) if isinstance(record, Start))
    trace = json.loads((run.directory / "traces" / f"{start.cell}.json").read_text())
    return [event for event in trace["traceEvents"] if event["ph"] == "X"]


def test_the_run_says_what_opens_a_timeline(finished_run: FinishedRun) -> None:
    assert "ui.perfetto.dev" in finished_run.stderr


# The second to fourth step, and for LIEC those around the first averaging step, whose index is 3.
@pytest.mark.parametrize(("algorithm", "steps"), [("ddp", {1, 2, 3}), ("liec", {1, 2, 3, 4})])
def test_a_timeline_has_a_few_steps_of_each_kind(finished_run: FinishedRun, algorithm: str, steps: set[int]) -> None:
    assert {event["args"]["step"] for event in events_of(finished_run, algorithm)} == steps


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_timeline_has_every_rank_and_every_part_of_a_step(finished_run: FinishedRun, algorithm: str) -> None:
    events = events_of(finished_run, algorithm)

    assert {event["pid"] for event in events} == {0, 1}
    assert {"load", "forward and backward", "wait for the update", "optimizer"} <= {event["name"] for event in events}


def test_a_timeline_has_the_parts_of_an_exchange(finished_run: FinishedRun) -> None:
    names = {event["name"] for event in events_of(finished_run, "liec")}

    assert {"compress", "decompress", "send", "wait"} <= names


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_events_of_a_thread_do_not_overlap(finished_run: FinishedRun, algorithm: str) -> None:
    ends: dict[tuple[int, int], float] = {}
    for event in events_of(finished_run, algorithm):
        thread = event["pid"], event["tid"]
        assert event["ts"] >= ends.get(thread, 0.0) - 1.0  # microseconds
        ends[thread] = event["ts"] + event["dur"]
