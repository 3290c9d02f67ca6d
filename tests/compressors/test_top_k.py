import math
from decimal import Decimal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from liecbench.compressors import TopK
from tests.compressors.vectors import normal

ratios = st.sampled_from([0.001, 0.01, 0.1, 0.5, 1.0])


@given(st.integers(1, 3000), ratios)
def test_it_keeps_exactly_the_largest_entries(numel: int, ratio: float) -> None:
    vector = normal(numel, numel)
    kept = math.ceil(Decimal(str(ratio)) * numel)
    threshold = vector.abs().sort(descending=True).values[kept - 1]

    result = TopK(ratio).decompress(TopK(ratio).compress(vector))

    assert torch.equal(result, torch.where(vector.abs() >= threshold, vector, 0.0))


@given(st.integers(1, 3000), ratios)
def test_the_contraction_is_at_least_k_over_n(numel: int, ratio: float) -> None:
    vector = normal(numel, numel).round(decimals=1)
    residual = torch.empty_like(vector)
    TopK(ratio).compress(vector, residual)

    left, whole = float(residual.double().square().sum()), float(vector.double().square().sum())

    assert left <= (1 - math.ceil(Decimal(str(ratio)) * numel) / numel) * whole + 1e-9


def test_a_position_takes_less_than_9_bits_at_one_percent() -> None:
    for numel in (10_000, 11_171_146):
        kept = math.ceil(numel / 100)

        assert (TopK(0.01).payload_bytes(numel) - 4 * kept) * 8 / kept < 8.7


def test_a_ratio_of_1_costs_one_bit_per_entry_more_than_the_vector() -> None:
    assert TopK(1.0).payload_bytes(80) == 4 * 80 + 10


@pytest.mark.parametrize("ratio", [0, -0.5, 2])
def test_a_ratio_outside_0_to_1_is_refused(ratio: float) -> None:
    with pytest.raises(ValidationError, match=r"less than or equal to 1|greater than 0"):
        TopK(ratio)
