"""A against B with real ranks: one launch of two sides serves several tests."""

import dataclasses
import sys
from collections.abc import Sequence

import pytest

from liecbench.check.paired import stopping
from liecbench.check.paired.session import Case, Match, outcome, seconds_of
from liecbench.check.paired.side import Side
from liecbench.check.paired.stopping import Gate
from liecbench.check.verdict import Finding, Outcome, Verdict
from liecbench.config.cell import Cell
from liecbench.errors import ExitCode
from liecbench.launch.messages import BurstResult
from tests.namespace_support import skip_without_namespaces

pytestmark = pytest.mark.timeout(600)  # three relaunches of two sides, on whatever machine
# Three times as long is beyond any noise; few pairs are enough for that.
GATE = Gate(most_pairs=12)
SLOWDOWN = 2.0
PERIOD = 4


def cell(name: str = "ddp", **changes: object) -> Cell:
    options = {"average_period": PERIOD} if name == "liec" else {}
    compressed = name != "ddp"
    fields = {
        "algorithm": {"name": name, **options},
        "compressor": "sign" if compressed else None,
        "server": "sharded" if compressed else None,
        "block_bytes": "whole",
        "workers": 2,
        "link": "none",
        "seed": 0,
        "task": {
            "dataset": "digits",
            "model": {"name": "mlp", "width": 64},
            "batch_size": 32,
            "epochs": 2,
            "learning_rate": 0.1,
        },
        "threads": 1,
        "backend": "gloo",
        "device": "cpu",
        "timing": "measured",
    }
    return Cell.from_spec({**fields, **changes})


def sides(python_b: str = sys.executable) -> tuple[Side, Side]:
    return Side(name="A", label="old", python=sys.executable), Side(name="B", label="new", python=python_b)


def played(cases: Sequence[Case], sides: tuple[Side, Side], said: list[str] | None = None) -> Outcome:
    say = (said if said is not None else []).append
    match = Match(cases, sides, GATE, seed=3, stall_seconds=100, say=say)
    match.play()
    return outcome(match, GATE, {"coin_seed": 3})


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def found(said: list[str]) -> Outcome:
    cases = [
        Case(label="ddp", a=cell(), b=cell()),
        Case(label="slowed", a=cell("liec"), b=cell("liec"), slowdown=SLOWDOWN),
        Case(label="ddp → psgd", a=cell(), b=cell("psgd", compressor=None)),
        Case(label="unknown", a=cell("liec"), b=cell("liec", algorithm={"name": "liec", "no_such_option": 1})),
        Case(label="periods", a=cell("liec"), b=cell("liec", algorithm={"name": "liec", "average_period": 2})),
        Case(label="diverging", a=cell(), b=cell(task={**cell().spec()["task"], "learning_rate": 1e38})),
    ]
    return played(cases, sides(), said)


def findings(outcome: Outcome, cell: str) -> dict[str, Finding]:
    return {finding.metric: finding for finding in outcome.findings if finding.cell == cell}


def test_identical_code_does_not_fail(found: Outcome) -> None:
    same = findings(found, "ddp")["step_seconds"]

    assert len(same.pairs) >= 3
    assert same.verdict is not Verdict.FAIL


def test_a_slowdown_fails(found: Outcome) -> None:
    slowed = findings(found, "slowed")

    assert slowed["step_seconds"].verdict is Verdict.FAIL


def test_a_slowdown_is_a_share_of_what_the_other_side_took_last(found: Outcome) -> None:
    pairs = [pair for pair in findings(found, "slowed")["step_seconds"].pairs if pair.order == "AB"]

    assert pairs
    assert all(pair.b_seconds >= SLOWDOWN * pair.a_seconds for pair in pairs)


def test_averaging_steps_are_gated_alone(found: Outcome) -> None:
    slowed = findings(found, "slowed")
    whole, alone = slowed["step_seconds"].pairs, slowed["averaging_step_seconds"].pairs

    assert len(whole) == len(alone)
    assert all(part.a_seconds < total.a_seconds for part, total in zip(alone, whole, strict=True))


def test_averaging_steps_of_other_periods_are_gated_alone(found: Outcome) -> None:
    assert findings(found, "periods").keys() == {"step_seconds", "averaging_step_seconds"}


def test_averaging_steps_of_other_periods_are_compared_one_by_one() -> None:
    nothing = BurstResult(
        seconds=0.0,
        kind_seconds={},
        kind_steps={},
        wall_over_cpu=1.0,
        train_loss=0.0,
        sent_bytes=[],
        received_bytes=[],
        messages=[],
    )
    a = dataclasses.replace(
        nothing, seconds=10.0, kind_seconds={"averaging": 4.0, "compressed": 6.0}, kind_steps={"averaging": 2}
    )
    b = dataclasses.replace(
        nothing, seconds=15.0, kind_seconds={"averaging": 12.0, "compressed": 3.0}, kind_steps={"averaging": 4}
    )

    assert seconds_of(a, b, ["averaging"]) == {"step_seconds": (10.0, 15.0), "averaging_step_seconds": (2.0, 3.0)}


def test_the_same_steps_move_the_same_bytes(found: Outcome) -> None:
    exact = [findings(found, name)[metric] for name in ("ddp", "slowed") for metric in ("payload_bytes", "messages")]

    assert {(Verdict.PASS, 0.0)} == {(finding.verdict, finding.change) for finding in exact}


def test_bytes_of_different_cells_are_shown_and_not_gated(found: Outcome) -> None:
    shown = {figure.metric for figure in found.shown if figure.cell == "ddp → psgd"}

    assert shown == {"payload_bytes", "messages", "train_loss"}
    assert findings(found, "ddp → psgd").keys() == {"step_seconds"}


def test_of_the_same_cell_the_loss_is_shown(found: Outcome) -> None:
    (loss,) = (figure for figure in found.shown if figure.cell == "ddp")

    assert (loss.metric, loss.baseline) == ("train_loss", loss.current)


def test_both_sides_are_relaunched_at_least_three_times(found: Outcome) -> None:
    assert {0, 1, 2} <= {pair.relaunch for pair in findings(found, "ddp")["step_seconds"].pairs}


def test_the_coin_lets_both_go_first(found: Outcome) -> None:
    orders = {pair.order for finding in found.findings for pair in finding.pairs}

    assert {"AB", "BA"} == orders


def test_the_side_that_starts_first_changes(found: Outcome, said: list[str]) -> None:
    starts = [(line[9], line.partition("starting ")[2][0]) for line in said if "starting" in line]

    assert found.findings
    assert starts[:4] == [("1", "A"), ("1", "B"), ("1", "A"), ("1", "B")]
    assert [side for number, side in starts if number == "2"][:2] == ["B", "A"]


def test_every_pair_tells_what_the_machine_did(found: Outcome) -> None:
    noise = [pair.noise for finding in found.findings for pair in finding.pairs]

    assert all({"steal", "wall_over_cpu"} <= each.keys() for each in noise)
    assert all(0 <= each["steal"] <= 1 and each["wall_over_cpu"] > 0.5 for each in noise)


def test_a_cell_that_diverges_fails_and_the_others_go_on(found: Outcome) -> None:
    (failure,) = found.failed_cells

    assert failure.startswith("diverging: B (new): ")
    assert "step_seconds" not in findings(found, "diverging")


def test_what_a_side_does_not_know_is_not_compared(found: Outcome) -> None:
    (unknown,) = findings(found, "unknown").values()

    assert (unknown.metric, unknown.verdict) == ("status", Verdict.NOT_COMPARED)
    assert "B (new)" in unknown.reason
    assert "no_such_option" in unknown.reason


def test_a_slowdown_comes_before_a_failed_cell(found: Outcome) -> None:
    assert found.exit_code is ExitCode.REGRESSION


def test_a_side_that_cannot_start_fails_its_cells() -> None:
    found = played([Case(label="ddp", a=cell(), b=cell())], sides(python_b="/bin/false"))

    assert found.exit_code is ExitCode.CELL_FAILED
    assert "B (new) was lost" in found.failed_cells[0]


def test_turns_are_taken_behind_shaped_links(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_without_namespaces()
    # One relaunch holds all pairs: others are launched several times.
    monkeypatch.setattr(stopping, "FEWEST_RELAUNCHES", 1)
    monkeypatch.setattr(stopping, "_RELAUNCHES", 1)
    case = Case(label="shaped", a=cell(link="20mbit"), b=cell(link="20mbit"), slowdown=SLOWDOWN)
    found = played([case], sides())

    assert found.exit_code is ExitCode.REGRESSION
    # 15 steps and more, 2 × 4810 parameters of 4 bytes each way, at 20 Mbit/s.
    assert all(pair.a_seconds > 15 * 4810 * 4 * 8 / 20e6 for pair in findings(found, "shaped")["step_seconds"].pairs)
