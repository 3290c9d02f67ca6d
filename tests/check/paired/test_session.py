"""A against B with real ranks: the tests read one comparison of many cases, with two relaunches and no verdict.

A whole comparison, of one case, goes on to its verdict with ``--long``. ``test_stopping.py`` shows without ranks that
five relaunches give one.
"""

import dataclasses
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from liecbench.check.paired.cases import Case
from liecbench.check.paired.pair_sampler import seconds_by_metric
from liecbench.check.paired.paired_outcome import outcome
from liecbench.check.paired.rule_settings import StoppingRule
from liecbench.check.paired.session import PairedComparison
from liecbench.check.paired.side import Side
from liecbench.check.verdict import CheckResult, Outcome, Verdict
from liecbench.errors import ExitCode
from liecbench.launch.events import BurstResult
from tests.check.paired.paired_cells import PERIOD
from tests.check.paired.paired_cells import paired_cell as cell
from tests.namespace_support import namespaces_refusal, skip_without_namespaces

pytestmark = pytest.mark.timeout(600)  # five relaunches of two sides, on whatever machine
# Three times as long is beyond any noise: few pairs and short bursts show it.
TWO_LAUNCHES = StoppingRule(most_pairs=6, fewest_relaunches=2)
SLOWDOWN = 2.0
BURST_SECONDS = 0.02


def sides(python_a: str = sys.executable) -> tuple[Side, Side]:
    return Side(name="A", label="old", python=python_a), Side(name="B", label="new", python=sys.executable)


def compared(
    cases: Sequence[Case], sides: tuple[Side, Side], rule: StoppingRule, said: list[str] | None = None
) -> Outcome:
    say = (said if said is not None else []).append
    comparison = PairedComparison(
        cases, sides, rule, order_seed=3, stall_timeout_seconds=100, say=say, burst_seconds=BURST_SECONDS
    )
    comparison.run()
    return outcome(comparison, rule, {"order_seed": 3})


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
    return compared(cases, sides(), TWO_LAUNCHES, said)


def results(outcome: Outcome, cell: str) -> dict[str, CheckResult]:
    return {result.metric: result for result in outcome.results if result.cell == cell}


def test_identical_code_does_not_fail(found: Outcome) -> None:
    same = results(found, "ddp")["step_seconds"]

    assert len(same.pairs) == 6
    assert same.verdict is not Verdict.FAIL


@pytest.mark.long
def test_a_slowdown_fails_after_five_relaunches() -> None:
    link = "none" if namespaces_refusal() else "20mbit"
    case = Case(label="slowed", a=cell(link=link), b=cell(link=link), slowdown=SLOWDOWN)
    decided = compared([case], sides(), StoppingRule())
    slowed = results(decided, "slowed")["step_seconds"]

    assert slowed.verdict is Verdict.FAIL
    assert [pair.relaunch for pair in slowed.pairs] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    assert decided.exit_code is ExitCode.REGRESSION


def test_two_relaunches_are_inconclusive(found: Outcome) -> None:
    slowed = results(found, "slowed")["step_seconds"]

    assert statistics.median(pair.b_seconds / pair.a_seconds for pair in slowed.pairs) > 1.5
    assert (slowed.verdict, slowed.reason) == (
        Verdict.INCONCLUSIVE,
        "a verdict needs 5 relaunches, and --relaunches 2 was asked for",
    )


def test_a_slowdown_is_a_share_of_the_other_side_latest_steps(found: Outcome) -> None:
    pairs = [pair for pair in results(found, "slowed")["step_seconds"].pairs if pair.order == "AB"]

    assert pairs
    assert all(pair.b_seconds >= SLOWDOWN * pair.a_seconds for pair in pairs)


def test_a_side_whose_torch_cannot_be_imported_says_so(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('no such libc')\n")
    broken = dataclasses.replace(sides()[1], variables={"PYTHONPATH": str(tmp_path)})
    said: list[str] = []
    (failed,) = compared(
        [Case(label="ddp", a=cell(), b=cell())], (sides()[0], broken), StoppingRule(), said
    ).failed_cells

    assert failed.cell == "ddp"
    assert failed.reason.startswith("B (new) was lost\n")
    assert failed.reason.endswith("ImportError: no such libc")
    assert failed.reason in said


def test_averaging_steps_are_gated_by_themselves(found: Outcome) -> None:
    slowed = results(found, "slowed")
    whole, alone = slowed["step_seconds"].pairs, slowed["averaging_step_seconds"].pairs

    assert len(whole) == len(alone)
    # One step of PERIOD averages.
    assert all(part.a_seconds < PERIOD * mean.a_seconds for part, mean in zip(alone, whole, strict=True))


def test_averaging_steps_of_different_periods_are_gated_by_themselves(found: Outcome) -> None:
    assert results(found, "periods").keys() == {"step_seconds", "averaging_step_seconds"}


def test_the_time_of_one_step_is_compared() -> None:
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
        nothing,
        seconds=10.0,
        kind_seconds={"averaging": 4.0, "compressed": 6.0},
        kind_steps={"averaging": 2, "compressed": 6},
    )
    b = dataclasses.replace(
        nothing,
        seconds=16.0,
        kind_seconds={"averaging": 12.0, "compressed": 4.0},
        kind_steps={"averaging": 4, "compressed": 4},
    )

    assert seconds_by_metric(a, b, ["averaging"]) == {
        "step_seconds": (1.25, 2.0),
        "averaging_step_seconds": (2.0, 3.0),
    }


def test_the_same_cells_send_the_same_bytes(found: Outcome) -> None:
    exact = [results(found, name)[metric] for name in ("ddp", "slowed") for metric in ("payload_bytes", "messages")]

    assert {(Verdict.PASS, 0.0)} == {(result.verdict, result.change) for result in exact}


def test_bytes_of_different_cells_are_not_gated(found: Outcome) -> None:
    shown = {figure.metric for figure in found.ungated if figure.cell == "ddp → psgd"}

    assert shown == {"payload_bytes", "messages", "train_loss"}
    assert results(found, "ddp → psgd").keys() == {"step_seconds"}


def test_the_loss_of_the_same_cell_is_the_same_and_not_gated(found: Outcome) -> None:
    (loss,) = (figure for figure in found.ungated if figure.cell == "ddp")

    assert (loss.metric, loss.baseline) == ("train_loss", loss.current)


def test_both_sides_are_relaunched(found: Outcome) -> None:
    assert [pair.relaunch for pair in results(found, "ddp")["step_seconds"].pairs] == [0, 0, 0, 1, 1, 1]


def test_each_side_goes_first_in_some_pairs(found: Outcome) -> None:
    orders = {pair.order for result in found.results for pair in result.pairs}

    assert {"AB", "BA"} == orders


def test_the_sides_alternate_in_starting_first(found: Outcome, said: list[str]) -> None:
    starts = [(line[9], line.partition("starting ")[2][0]) for line in said if "starting" in line]

    assert found.results
    assert starts[:4] == [("1", "A"), ("1", "B"), ("1", "A"), ("1", "B")]
    assert [side for number, side in starts if number == "2"][:2] == ["B", "A"]


def test_every_pair_has_the_load_on_the_machine(found: Outcome) -> None:
    noise = [pair.noise for result in found.results for pair in result.pairs]

    assert all({"steal", "wall_over_cpu"} <= each.keys() for each in noise)
    assert all(0 <= each["steal"] <= 1 and each["wall_over_cpu"] > 0.5 for each in noise)


def test_a_cell_that_diverges_fails_and_the_others_go_on(found: Outcome) -> None:
    (failure,) = found.failed_cells

    assert str(failure).startswith("diverging: B (new): ")
    assert "step_seconds" not in results(found, "diverging")


def test_a_cell_that_a_side_cannot_build_is_not_compared(found: Outcome) -> None:
    (unknown,) = results(found, "unknown").values()

    assert (unknown.metric, unknown.verdict) == ("status", Verdict.NOT_COMPARED)
    assert "B (new)" in unknown.reason
    assert "no_such_option" in unknown.reason


def test_a_failed_cell_comes_before_an_inconclusive_one(found: Outcome) -> None:
    assert found.exit_code is ExitCode.CELL_FAILED


def test_a_side_that_cannot_start_fails_its_cells() -> None:
    found = compared([Case(label="ddp", a=cell(), b=cell())], sides(python_a="/bin/false"), TWO_LAUNCHES)

    assert found.exit_code is ExitCode.CELL_FAILED
    assert "A (old) was lost" in found.failed_cells[0].reason


def test_sides_are_compared_behind_shaped_links() -> None:
    skip_without_namespaces()
    case = Case(label="linked", a=cell(link="20mbit"), b=cell(link="20mbit"))
    found = compared([case], sides(), StoppingRule(most_pairs=3, fewest_relaunches=1))
    pairs = results(found, "linked")["step_seconds"].pairs

    # A step sends 4810 parameters of 4 bytes at 20 Mbit/s.
    assert len(pairs) == 3
    assert all(min(pair.a_seconds, pair.b_seconds) > 4810 * 4 * 8 / 20e6 for pair in pairs)
