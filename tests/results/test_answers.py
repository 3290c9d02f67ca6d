import dataclasses

from liecbench.results.answers import Answer

ANSWER = Answer(
    setting="20mbit",
    place="On 20mbit",
    outcome="yes",
    advice="use",
    method="liec",
    speed=5.5,
    gain="5.50× (5.42 to 5.58)",
    rest=" as fast as ddp",
    cost="it keeps the accuracy",
    evidence="after 10 seeds",
)


def test_the_line_has_the_interval_and_the_evidence_and_the_headline_neither() -> None:
    assert ANSWER.line == (
        "On 20mbit: use liec, 5.50× (5.42 to 5.58) as fast as ddp, and it keeps the accuracy (after 10 seeds)"
    )
    assert ANSWER.headline == "On 20mbit: use liec, 5.50× as fast as ddp, and it keeps the accuracy"


def test_a_cost_that_speaks_against_the_method_follows_but() -> None:
    costly = dataclasses.replace(ANSWER, outcome="timed", cost="its accuracy was not measured", evidence="")

    assert costly.told("5.50×") == "use liec, 5.50× as fast as ddp, but its accuracy was not measured"


def test_a_whole_sentence_needs_no_method() -> None:
    assert (
        Answer(setting="", place="On 20mbit", outcome="open", advice="measure again").line == "On 20mbit: measure again"
    )
