from dataclasses import replace
from typing import Any

import pytest

from liecbench.check.verdict import FailedCell, Outcome, Verdict
from liecbench.results.cells import CellResult
from tests.check.stored_results import METRICS, cell, check, result_of, seeds, traffic, verdicts

PASS, FAIL, INCONCLUSIVE, NOT_COMPARED = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_COMPARED

SHORT = {"wire_bytes": traffic(2_200_000)}


def only(outcome: Outcome) -> tuple[str, str, Verdict, str]:
    assert len(outcome.results) == 1
    found = outcome.results[0]
    return found.cell, found.metric, found.verdict, found.reason


@pytest.mark.parametrize("num_seeds", [1, 3, 5])
def test_the_same_results_pass(num_seeds: int) -> None:
    cells = seeds([{}] * num_seeds)
    outcome = check(cells, cells)

    assert (verdicts(outcome), int(outcome.exit_code)) == (dict.fromkeys(METRICS, PASS), 0)


def test_each_group_of_cells_has_one_result_per_metric() -> None:
    cells = [*seeds([{}, {}]), *seeds([{}, {}], algorithm="liec", compressor={"name": "sign"})]
    outcome = check(cells, cells)
    labels = ["ddp · 2 workers"] * 9 + ["liec sign · 2 workers"] * 9

    assert ([f.cell for f in outcome.results], [f.metric for f in outcome.results]) == (labels, [*METRICS] * 2)


@pytest.mark.parametrize(
    ("changes", "metric", "expected"),
    [
        # Equal losses are known to 2.776 · 0.001 / √5 = 0.00124, because the size of the test set is unknown.
        ({"test_accuracy": 0.8963}, "test_accuracy", PASS),
        ({"test_accuracy": 0.8937}, "test_accuracy", FAIL),
        ({"train_loss": 1.049}, "train_loss", PASS),
        ({"train_loss": 1.051}, "train_loss", FAIL),
        ({"least_communicate_seconds": 1.1 * 1.099}, "communication_over_wire", PASS),
        ({"least_communicate_seconds": 1.1 * 1.101}, "communication_over_wire", FAIL),
        ({"least_communicate_seconds": 0.5}, "communication_over_wire", PASS),
    ],
    ids=str,
)
def test_all_seeds_past_the_margin_fail(changes: dict[str, Any], metric: str, expected: Verdict) -> None:
    outcome = check(seeds([changes] * 5), seeds([{}] * 5))
    failing = {metric: expected} if expected is FAIL else {}

    assert (verdicts(outcome), int(outcome.exit_code)) == (
        {**dict.fromkeys(METRICS, PASS), **failing},
        1 if failing else 0,
    )


def test_equal_losses_of_accuracy_are_known_to_a_test_image() -> None:
    losses = seeds([{"test_accuracy": 0.8937}] * 5, environment={"test_set": {"labels": 360, "commonest_share": 0.1}})

    assert verdicts(check(losses, seeds([{}] * 5)))["test_accuracy"] is INCONCLUSIVE  # 0.0063 − 0.00345


def test_levels_are_shared_by_all_tests() -> None:
    cells = [*seeds([{}] * 5), *seeds([{}] * 2, workers=4), *seeds([{}], workers=8)]
    settings = check(cells, cells).settings

    assert (settings["bounded_tests"], settings["level"], settings["accuracy_points"]) == (4, 0.0125, 0.005)


def test_more_tests_need_a_larger_change_to_fail() -> None:
    drops = [{"test_accuracy": 0.9 - drop} for drop in (0.006, 0.008, 0.010, 0.012, 0.014)]
    others = [one for workers in (4, 8, 16, 32) for one in seeds([{}] * 5, workers=workers)]
    stored = seeds([{}] * 5)
    # 0.010 − t · 0.00141, with t(4) 2.78 for two tests and 4.60 for ten, beside 0.005
    alone, among = check(seeds(drops), stored), check([*seeds(drops), *others], [*stored, *others])

    assert (result_of(alone, "test_accuracy").verdict, result_of(among, "test_accuracy").verdict) == (
        FAIL,
        INCONCLUSIVE,
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"link": "10mbit"}, {"payload_bytes", "messages", *METRICS[3:8]}),
        ({"threads": 2}, {"payload_bytes", "messages", "wire_bytes"}),
        ({"timing": "composed"}, set(METRICS[:8])),
        ({"enforcement": "process"}, {"payload_bytes", "messages", *METRICS[3:8]}),
        ({"environment": {"cpu": "Model B"}}, {"payload_bytes", "messages", "wire_bytes"}),
        ({"environment": {"torch": "3.0"}}, {"payload_bytes", "messages", "wire_bytes"}),
    ],
    ids=["link", "threads", "timing", "enforcement", "cpu", "torch"],
)
def test_only_comparable_figures_are_compared(fields: dict[str, Any], expected: set[str]) -> None:
    outcome = check(seeds([{}] * 2, **fields), seeds([{}] * 2))
    passed = {found.metric for found in outcome.results if found.verdict is PASS}
    rest = {found.metric: found.verdict for found in outcome.results if found.metric not in expected}

    assert (passed, rest, int(outcome.exit_code)) == (
        expected,
        dict.fromkeys(set(METRICS) - expected, NOT_COMPARED),
        0,
    )


def test_another_machine_is_named_with_the_values_of_both_sides() -> None:
    changes = {"test_accuracy": 0.2, "train_loss": 2.5}
    outcome = check(seeds([changes] * 2, environment={"cpu": "Model B"}), seeds([{}] * 2))
    reason = "the baseline is from another machine: cpu: Model A in the baseline, Model B here"
    apart = {found.metric: found for found in outcome.results if found.verdict is NOT_COMPARED}

    assert {found.reason for found in apart.values()} == {reason}
    assert apart.keys() == set(METRICS[3:])
    accuracy, loss = apart["test_accuracy"], apart["train_loss"]
    assert (accuracy.baseline, accuracy.current, accuracy.change) == pytest.approx((0.9, 0.2, -0.7))
    assert (loss.baseline, loss.current, loss.low, loss.high) == (1.0, 2.5, None, None)
    assert [one.metric for one in outcome.ungated] == ["seconds_per_epoch", "exposed_seconds_per_epoch"]


def test_a_kind_without_values_has_one_result_with_the_reason() -> None:
    outcome = check(seeds([{}], link="none", timing="end_to_end"), seeds([{}], link="none", timing="composed"))

    assert verdicts(outcome)["communication and seconds"] is NOT_COMPARED


@pytest.mark.parametrize(
    ("current", "stored", "codes"),
    [
        (seeds([{}]), seeds([{}]), (0, 0)),
        (seeds([{}], environment={"cpu": "Model B"}), seeds([{}]), (0, 3)),
        ([*seeds([{}]), *seeds([{}], workers=4)], seeds([{}]), (0, 3)),  # a cell that the baseline lacks
        (seeds([{}], workers=4), seeds([{}]), (4, 4)),
        (seeds([{"wire_bytes": None}]), seeds([{}]), (0, 3)),
        (seeds([{"wire_bytes": None}]), seeds([{"wire_bytes": None}]), (0, 0)),  # neither side can have them
        # 2.2 MB in 22 steps are 8 ms per step at 100 Mbit/s, and 40 ms at 20 Mbit/s
        (seeds([SHORT], link="100mbit", timing="composed"), seeds([SHORT], link="100mbit"), (0, 0)),
        (seeds([{}], timing="composed"), seeds([{}]), (0, 3)),
        (seeds([{}], link="none", timing="composed"), seeds([{}], link="none"), (0, 0)),
        (seeds([{"wire_bytes": None}], link="host"), seeds([{"wire_bytes": None}], link="none"), (0, 0)),
        (seeds([SHORT]), seeds([SHORT], link="none"), (0, 3)),
    ],
    ids=[
        "same",
        "cpu",
        "new cell",
        "nothing",
        "lost wire bytes",
        "no wire bytes",
        "short steps",
        "long steps",
        "no link",
        "no wire bytes on two networks",
        "baseline without link",
    ],
)
def test_everything_can_be_required(
    current: list[CellResult], stored: list[CellResult], codes: tuple[int, int]
) -> None:
    outcome = check(current, stored)

    assert (int(outcome.exit_code), int(replace(outcome, require_all=True).exit_code)) == codes


def test_the_numbers_that_gpus_do_not_repeat_are_not_required() -> None:
    cells = seeds([{}] * 2, device="cuda", environment=GPU)

    assert int(replace(check(cells, cells), require_all=True).exit_code) == 0


def test_every_change_is_that_of_the_values_beside_it() -> None:
    drift = [(1.01, 1.2, 1.1), (0.97, 1.0, 1.4), (1.02, 1.1, 0.9)]
    changes = [
        {
            "compression_error": 0.5 * number,
            "residual_norm": 2.0 * number * loss,
            "train_loss": loss,
            "least_communicate_seconds": 1.1 * seconds,
            "wire_bytes": traffic(round(2_530_000 * number)),
        }
        for number, loss, seconds in drift
    ]
    before = [{"compression_error": 0.25 * loss, "train_loss": seconds} for _, loss, seconds in drift]
    found = [one for one in check(seeds(changes), seeds(before)).results if one.unit == "relative"]

    for one in found:
        assert one.baseline
        assert one.current is not None
        assert one.change == pytest.approx(one.current / one.baseline - 1), one.metric


GPU = {"gpu": {"names": ["NVIDIA Fake 80GB"]}, "nccl": {"version": "2.27.5"}}


def test_numbers_that_gpus_do_not_repeat_are_not_compared() -> None:
    drifted = [{"compression_error": 0.51, "residual_norm": 2.1, "train_loss": 1.01}] * 5
    outcome = check(seeds(drifted, device="cuda", environment=GPU), seeds([{}] * 5, device="cuda", environment=GPU))
    unrepeated = dict.fromkeys(("first_steps", "compression_error", "residual_norm"), NOT_COMPARED)
    reason = "GPU libraries sum in another order on every run: only accuracy and loss are compared"

    assert (verdicts(outcome), int(outcome.exit_code)) == ({**dict.fromkeys(METRICS, PASS), **unrepeated}, 0)
    assert (result_of(outcome, "residual_norm").reason, result_of(outcome, "residual_norm").current) == (reason, 2.1)


def test_a_lost_error_memory_fails_on_gpus_as_well() -> None:
    current = seeds([{"residual_norm": None}], device="cuda", environment=GPU)
    outcome = check(current, seeds([{}], device="cuda", environment=GPU))

    assert (result_of(outcome, "residual_norm").verdict, int(outcome.exit_code)) == (FAIL, 1)


def test_other_gpus_are_another_machine() -> None:
    other = {"gpu": {"names": ["NVIDIA Other 40GB"]}, "nccl": {"version": "2.27.5"}}
    outcome = check(seeds([{}], device="cuda", environment=other), seeds([{}], device="cuda", environment=GPU))

    assert result_of(outcome, "test_accuracy").reason.startswith("the baseline is from another machine: gpus: ")


def test_seeds_of_another_machine_are_named() -> None:
    current = [*seeds([{}] * 2), cell(seed=2, environment={"torch": "3.0"})]
    outcome = check(current, seeds([{}] * 3))

    apart = [found for found in outcome.results if found.verdict is NOT_COMPARED]

    assert {(found.cell, found.reason) for found in apart} == {
        (
            "ddp · 2 workers · seed 2",
            "the baseline is from another setting: torch: 2.6.0 in the baseline, 3.0 here",
        )
    }
    assert [found.verdict for found in outcome.results if found.metric == "test_accuracy"] == [NOT_COMPARED, PASS]


@pytest.mark.parametrize(
    ("fields", "difference"),
    [
        ({"workers": 4}, "workers: 2 in the baseline, 4 here"),
        ({"task": {"batch_size": 64}}, "batch_size: 32 in the baseline, 64 here"),
    ],
    ids=str,
)
def test_a_baseline_of_other_cells_compares_nothing(fields: dict[str, Any], difference: str) -> None:
    outcome = check(seeds([{}] * 2, **fields), seeds([{}] * 3))
    reason = f"seeds 0, 1: the baseline has no such cell; the nearest differs: {difference}"

    assert (only(outcome)[1:], int(outcome.exit_code)) == (("status", NOT_COMPARED, reason), 4)


def test_a_cell_that_the_baseline_lacks_is_not_compared() -> None:
    outcome = check([*seeds([{}] * 2), *seeds([{}], workers=4)], seeds([{}] * 2))
    found = result_of(outcome, "status")

    assert (found.cell, found.verdict, int(outcome.exit_code)) == ("ddp · 4 workers", NOT_COMPARED, 0)


def test_cells_that_the_results_lack_are_inconclusive() -> None:
    outcome = check(seeds([{}]), [*seeds([{}] * 3), *seeds([{}], workers=4)])
    found = [(one.cell, one.verdict, one.reason) for one in outcome.results if one.metric == "status"]
    lacking = "the results have no such cell; run it, or write the baseline again"

    assert (found, int(outcome.exit_code)) == (
        [
            ("ddp · 2 workers", INCONCLUSIVE, f"seeds 1, 2: {lacking}"),
            ("ddp · 4 workers", INCONCLUSIVE, f"seed 0: {lacking}"),
        ],
        3,
    )


def test_a_link_that_the_results_lack_is_inconclusive() -> None:
    outcome = check(seeds([{}]), [*seeds([{}]), *seeds([{}], link="10mbit")])

    assert (result_of(outcome, "status").cell, int(outcome.exit_code)) == ("ddp · 2 workers · link 10mbit", 3)


@pytest.mark.parametrize(
    ("status", "verdict", "reason", "code"),
    [
        ("diverged", FAIL, "seed 1: diverged, and completed in the baseline: not finite", 1),
        ("unfinished", INCONCLUSIVE, "seed 1: unfinished; let `liecbench run` finish it", 3),
    ],
)
def test_a_cell_that_did_not_complete(status: Any, verdict: Verdict, reason: str, code: int) -> None:
    current = [cell(), cell(seed=1, status=status, error="not finite\nat step 3")]
    outcome = check(current, seeds([{}] * 2))
    found = result_of(outcome, "status")

    assert (found.verdict, found.reason, int(outcome.exit_code)) == (verdict, reason, code)


@pytest.mark.parametrize("alone", [True, False])
def test_a_failed_cell_is_listed_with_its_error(alone: bool) -> None:
    failed = cell(seed=1, status="failed", error="the launch died\nTraceback")
    outcome = check([failed] if alone else [cell(), failed], seeds([{}] * 2))

    expected = FailedCell(cell="ddp · 2 workers · seed 1", reason="the launch died")
    assert (outcome.failed_cells, int(outcome.exit_code)) == ((expected,), 5)


def test_a_regression_outweighs_a_failed_cell_and_a_missing_one() -> None:
    current = [cell(changes={"messages": [1, 1]}), cell(seed=1, status="failed", error="lost")]

    assert int(check(current, seeds([{}] * 3)).exit_code) == 1


@pytest.mark.parametrize("status", ["unfinished", "diverged"])
def test_a_cell_without_an_epoch_that_the_baseline_lacks(status: Any) -> None:
    outcome = check([cell(status=status, epochs=0, workers=8)], seeds([{}]))

    assert (only(outcome)[2], int(outcome.exit_code)) == (NOT_COMPARED, 4)


def test_a_pass_without_times_says_so() -> None:
    cells = seeds([{}] * 2, link="none")
    outcome = check(cells, cells)

    assert (int(outcome.exit_code), len(outcome.notes)) == (0, 1)
    assert "time is gated only on the baseline's machine and shaped link" in outcome.notes[0]
    assert check(seeds([{}]), seeds([{}])).notes == ()
