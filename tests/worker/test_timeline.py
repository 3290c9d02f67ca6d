from liecbench.algorithms.tracing import Span, Tracer
from liecbench.worker.timeline import Timeline, chrome_trace, traced_steps


def test_a_few_steps_and_those_around_the_first_of_another_kind_are_traced() -> None:
    assert traced_steps(lambda _: "step", 100) == {1, 2, 3}
    assert traced_steps(lambda step: "averaging" if step % 8 == 7 else "compressed", 100) == {1, 2, 3, 6, 7, 8}
    assert traced_steps(lambda step: "averaging" if step % 8 == 7 else "compressed", 2) == {1}


def test_spans_are_kept_while_the_tracer_is_on() -> None:
    tracer = Tracer()
    timeline = Timeline(tracer, {1})
    for step in range(3):
        timeline.step_begins(step)
        tracer.add("send", "communication", step, step + 0.5)
        timeline.step_ended(step)

    assert timeline._spans == [(1, Span("send", "communication", 1, 1.5))]


def test_a_rank_is_a_process_a_lane_a_thread_and_times_count_from_the_first_span() -> None:
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


def test_no_span_makes_an_empty_trace() -> None:
    assert chrome_trace([[]])["traceEvents"] == [
        {"ph": "M", "name": "process_name", "pid": 0, "args": {"name": "rank 0"}}
    ]
