import itertools

import pytest

from liecbench.check.verdict import FailedCell, Outcome, Verdict, worst_first
from liecbench.errors import ExitCode
from tests.check.outcomes import EMPTY, OUTCOMES, result

KINDS = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_COMPARED, Verdict.PASS)


@pytest.mark.parametrize(("outcome", "expected"), OUTCOMES.values(), ids=OUTCOMES)
def test_every_kind_of_outcome_has_its_exit_code(outcome: Outcome, expected: ExitCode) -> None:
    assert expected == outcome.exit_code


def test_an_empty_outcome_is_not_a_pass() -> None:
    assert EMPTY.exit_code == 4


@pytest.mark.parametrize("failed_cells", [(), (FailedCell(cell="psgd", reason="lost"),)])
@pytest.mark.parametrize("there", list(itertools.product([False, True], repeat=4)))
def test_the_worst_result_decides_the_exit_code(there: tuple[bool, ...], failed_cells: tuple[FailedCell, ...]) -> None:
    outcome = Outcome(
        results=tuple(result(kind) for kind, is_there in zip(KINDS, there, strict=True) if is_there),
        failed_cells=failed_cells,
    )
    fails, unsure, _, passes = there
    held = {1: fails, 5: bool(failed_cells), 4: not (unsure or passes), 3: unsure, 0: True}

    assert next(code for code, holds in held.items() if holds) == outcome.exit_code


@pytest.mark.parametrize("order", list(itertools.permutations(range(5)))[::7])
def test_the_worst_result_comes_first(order: tuple[int, ...]) -> None:
    sorted_by_hand = [
        result(Verdict.FAIL, change=-0.5),
        result(Verdict.FAIL, change=0.1),
        result(Verdict.INCONCLUSIVE, change=0.9),
        result(Verdict.NOT_COMPARED),
        result(Verdict.PASS, change=2.0),
    ]

    assert sorted_by_hand == worst_first(sorted_by_hand[place] for place in order)


def test_equally_bad_results_keep_their_order() -> None:
    results = [result(cell=name) for name in "bac"]

    assert results == worst_first(results)
