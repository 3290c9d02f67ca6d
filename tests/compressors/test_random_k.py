import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from liecbench.compressors import Compressor, RandomK, RngKey
from tests.compressors.vectors import normal

ratios = st.sampled_from([0.001, 0.01, 0.3, 0.5, 0.51, 0.9, 1.0])


def positions(compressor: Compressor, numel: int) -> torch.Tensor:
    return compressor.decompress(compressor.compress(torch.ones(numel))).nonzero().flatten()


@given(st.integers(1, 3000), ratios, st.integers(0, 2**40))
def test_a_message_is_the_values_at_k_different_positions(numel: int, ratio: float, step: int) -> None:
    vector, bound = normal(numel, 1), RandomK(ratio).with_rng(RngKey(step=step))
    drawn = positions(bound, numel)

    message = bound.compress(vector)

    assert drawn.numel() == math.ceil(Decimal(str(ratio)) * numel)
    assert message.payload.view(torch.float32).tolist() == vector[drawn].tolist()
    assert torch.equal(bound.decompress(message)[drawn], vector[drawn])


def test_positions_do_not_depend_on_sender_and_direction() -> None:
    compressor = RandomK(0.01, seed=3)
    zero = positions(compressor, 10_000).tolist()

    fields: dict[str, Any] = dict.fromkeys(("step", "block", "shard", "stage", "sender", "from_server"), 1)
    keys = {field: RngKey(**{field: value}) for field, value in fields.items()}
    same = [field for field, key in keys.items() if positions(compressor.with_rng(key), 10_000).tolist() == zero]

    assert same == ["sender", "from_server"]


def test_senders_draw_their_own_positions_unless_the_mask_is_shared() -> None:
    compressor = RandomK(0.01, shared_mask=False)
    keys = [RngKey(), RngKey(sender=1), RngKey(sender=2), RngKey(from_server=True)]

    drawn = [frozenset(positions(compressor.with_rng(key), 10_000).tolist()) for key in keys]

    assert len(set(drawn)) == len(keys)
    assert compressor.decodes_by_sender
    assert not RandomK(0.01).decodes_by_sender


@pytest.mark.parametrize(("shared_mask", "share_of_variance"), [(True, 1.0), (False, 1 / 4)])
def test_the_variance_of_a_mean_falls_with_the_senders_only_if_each_draws_its_own_positions(
    shared_mask: bool, share_of_variance: float
) -> None:
    vector, compressor = normal(2000), RandomK(0.1, unbiased=True, shared_mask=shared_mask)
    lost = []
    for step in range(50):
        mean = torch.zeros(2000)
        for sender in range(4):
            bound = compressor.with_rng(RngKey(step=step, sender=sender))
            bound.decompress(bound.compress(vector), mean, accumulate=True, weight=1 / 4)
        lost.append(float((mean - vector).square().sum() / vector.square().sum()))

    # One message's variance is (n/k − 1)‖v‖².
    assert sum(lost) / len(lost) == pytest.approx(9 * share_of_variance, rel=0.05)


def test_the_servers_message_is_scaled_again_if_it_leaves_out_other_entries() -> None:
    ones = torch.ones(1000)
    bound = RandomK(0.1, unbiased=True, shared_mask=False).with_rng(RngKey(from_server=True))

    assert sorted(set(bound.decompress(bound.compress(ones)).tolist())) == [0, 10]


def test_the_servers_message_is_not_scaled_again() -> None:
    compressor, vector = RandomK(0.1, unbiased=True), normal(1000)
    up = compressor.decompress(compressor.compress(vector))

    from_server = compressor.with_rng(RngKey(from_server=True))

    assert torch.equal(from_server.decompress(from_server.compress(up)), up)


def test_messages_may_differ_in_length() -> None:
    bound = RandomK(0.1).with_rng(RngKey(step=1))

    assert [positions(bound, numel).numel() for numel in (50, 1000, 50)] == [5, 100, 5]


@pytest.mark.parametrize("ratio", [0.05, 0.5, 0.8])
def test_positions_are_equally_likely_and_independent_between_steps(ratio: float) -> None:
    numel, draws = 500, 2000
    chosen = np.zeros((draws, numel))
    for step in range(draws):
        chosen[step, positions(RandomK(ratio).with_rng(RngKey(step=step)), numel)] = 1

    chi_square = ((chosen.mean(0) - ratio) ** 2).sum() * draws / (ratio * (1 - ratio))
    overlap = (chosen[1:] * chosen[:-1]).sum(1).mean() / numel

    assert abs(chi_square - numel) < 6 * math.sqrt(2 * numel)
    assert abs(overlap - ratio**2) < 6 * ratio * (1 - ratio) / math.sqrt(numel * draws)


def test_the_contraction_is_the_ratio_in_expectation() -> None:
    vector, residual = normal(20_000), torch.empty(20_000)
    left = []
    for step in range(50):
        RandomK(0.1).with_rng(RngKey(step=step)).compress(vector, residual)
        left.append(float(residual.square().sum() / vector.square().sum()))

    assert abs(1 - sum(left) / 50 - 0.1) < 6 * math.sqrt(0.1 * 0.9 * 3 / (20_000 * 50))


def test_it_is_unbiased_in_expectation() -> None:
    vector, draws = normal(1000), 2000
    compressor = RandomK(0.2, unbiased=True)
    total = torch.zeros(1000)
    for step in range(draws):
        bound = compressor.with_rng(RngKey(step=step))
        bound.decompress(bound.compress(vector), total, accumulate=True, weight=1 / draws)

    scores = (total - vector) / (vector.abs() * math.sqrt((1 / 0.2 - 1) / draws))

    assert scores.abs().max() < 6
    assert abs(scores.square().mean() - 1) < 0.4


def test_a_value_that_is_not_finite_shows_though_it_is_not_sent() -> None:
    vector = torch.zeros(1000)
    sent = set(positions(RandomK(0.001), 1000).tolist())
    vector[next(i for i in range(1000) if i not in sent)] = torch.inf

    assert not RandomK(0.001).is_finite(RandomK(0.001).compress(vector))


def test_no_index_travels() -> None:
    assert [RandomK(0.01).payload_bytes(numel) for numel in (1, 1000, 11_171_146)] == [4, 40, 4 * 111_712]


@pytest.mark.parametrize("ratio", [0, -0.5, 2])
def test_a_ratio_outside_0_to_1_is_refused(ratio: float) -> None:
    with pytest.raises(ValidationError, match=r"less than or equal to 1|greater than 0"):
        RandomK(ratio)
