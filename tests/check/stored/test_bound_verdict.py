import pytest
from hypothesis import given
from hypothesis import strategies as st

from liecbench.check.stored.bound_verdict import decide
from liecbench.check.verdict import Verdict

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([0.0], PASS),
        ([0.0] * 5, PASS),
        ([0.001], INCONCLUSIVE),
        ([-0.5], INCONCLUSIVE),
        ([0.25] * 2, PASS),  # a margin of 0.25, and no variance
        ([0.26] * 2, FAIL),
        ([0.25, 0.5, 0.75], INCONCLUSIVE),  # 0.5 ± 2.92 · 0.25 / √3
        ([0.75, 1.0, 1.25], FAIL),
        ([-0.5, -0.25, 0.0], PASS),  # -0.25 ± 0.42
    ],
    ids=str,
)
def test_a_verdict_follows_from_the_bounds(losses: list[float], expected: Verdict) -> None:
    assert expected == decide(losses, 0.25, 0.05).verdict


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([0.75] * 2, INCONCLUSIVE),  # 0.75 ± 6.314 · 0.125 / √2, so from 0.192
        ([0.82] * 2, FAIL),  # from 0.262
        ([-0.3] * 2, INCONCLUSIVE),  # to 0.258
        ([-0.32] * 2, PASS),  # to 0.238
        ([0.4] * 3, INCONCLUSIVE),  # 0.4 ± 2.920 · 0.125 / √3, so from 0.189
        ([0.0] * 2, PASS),
    ],
    ids=str,
)
def test_equal_losses_of_few_seeds_are_as_uncertain_as_the_accuracys_resolution(
    losses: list[float], expected: Verdict
) -> None:
    assert expected == decide(losses, 0.25, 0.05, resolution=0.125).verdict


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=8), st.floats(0.001, 0.5))
def test_the_smallest_detectable_loss_fails(losses: list[float], level: float) -> None:
    decided = decide(losses, 0.1, level)
    if decided.smallest_detectable is None or decided.bounds is None:
        return
    shift = decided.smallest_detectable + 1e-6 - decided.bounds.mean

    assert decide([loss + shift for loss in losses], 0.1, level).verdict is FAIL


@pytest.mark.parametrize(
    ("losses", "needed"),
    [
        # A mean of 0.2 beside a margin of 0.25, a spread of 0.1: t(n − 1) · 0.1 / √n ≤ 0.05 from 13 on, where
        # t(12) = 1.782288 gives 0.04943, and t(11) = 1.795885 gives 0.05184.
        ([0.1, 0.2, 0.3], 13),
        ([0.15, 0.25, 0.35], None),  # a mean at the margin
    ],
)
def test_an_inconclusive_loss_tells_the_seeds_needed(losses: list[float], needed: int | None) -> None:
    assert decide(losses, 0.25, 0.05).seeds_needed == needed
