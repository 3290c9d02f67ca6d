import pytest

from liecbench.check.paired.traffic import traffic_results, ungated_metrics
from liecbench.check.verdict import Verdict
from liecbench.launch.events import BurstResult


def answer(sent: int = 1000, received: int = 1000, messages: int = 4) -> BurstResult:
    return BurstResult(
        seconds=1.0,
        kind_seconds={"dense": 1.0},
        kind_steps={"dense": 2},
        wall_over_cpu=1.0,
        train_loss=0.5,
        sent_bytes=[sent, 1000],
        received_bytes=[1000, received],
        messages=[messages, 4],
    )


def verdicts(a: BurstResult, b: BurstResult) -> dict[str, Verdict]:
    return {result.metric: result.verdict for result in traffic_results("ddp", a, b)}


def test_the_same_traffic_passes() -> None:
    assert verdicts(answer(), answer()) == {"payload_bytes": Verdict.PASS, "messages": Verdict.PASS}


def test_one_byte_more_fails() -> None:
    assert verdicts(answer(), answer(sent=1001))["payload_bytes"] is Verdict.FAIL
    assert verdicts(answer(), answer(received=1001))["payload_bytes"] is Verdict.FAIL


def test_one_message_more_fails() -> None:
    assert verdicts(answer(), answer(messages=5)) == {"payload_bytes": Verdict.PASS, "messages": Verdict.FAIL}


def test_fewer_bytes_pass_and_are_reported() -> None:
    (payload, _) = traffic_results("ddp", answer(), answer(sent=200))

    assert payload.verdict is Verdict.PASS
    assert payload.change == pytest.approx(-0.2)
    assert "-800" in payload.reason


def test_totals_are_of_all_ranks() -> None:
    (payload, messages) = traffic_results("ddp", answer(), answer())

    assert (payload.baseline, messages.baseline) == (4000, 8)


def test_loss_bytes_and_messages_of_different_cells_are_printed() -> None:
    shown = {
        figure.metric: (figure.baseline, figure.current)
        for figure in ungated_metrics("x", answer(), answer(500), same=False)
    }

    assert shown == {"payload_bytes": (4000, 3500), "messages": (8, 8), "train_loss": (0.5, 0.5)}


def test_only_the_loss_of_the_same_cell_is_printed() -> None:
    assert [figure.metric for figure in ungated_metrics("x", answer(), answer(), same=True)] == ["train_loss"]
