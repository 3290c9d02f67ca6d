import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from liecbench.compressors import TopK
from liecbench.compressors.codecs import largest
from tests.compressors.vectors import normal

ratios = st.sampled_from([0.001, 0.01, 0.1, 0.5, 1.0])
LONG = 300_000


def spoiled(vector: torch.Tensor, *values: float) -> torch.Tensor:
    vector[: len(values)] = torch.tensor(values)
    return vector.roll(LONG // 2)


# Long enough for a sample to suggest where to look, also where it misleads.
AWKWARD = {
    "normal": normal(LONG),
    "zeros": torch.zeros(LONG),
    "all equal": torch.full((LONG,), -2.0),
    "ties": normal(LONG).round(decimals=1),
    "few are not zero": torch.nn.functional.pad(normal(100), (1000, LONG - 1100)),
    "rising": torch.arange(LONG) * 1e-3,
    "denormal": normal(LONG) * 1e-40,
    "huge": normal(LONG) * 1e37,
    "large where the sample looks": torch.where(torch.arange(LONG) % 5 == 0, 3.0, 1.0) * normal(LONG),
    "small where the sample looks": torch.where(torch.arange(LONG) % 5 == 0, 0.0, 1.0) * normal(LONG),
    "not finite": spoiled(normal(LONG), torch.nan, torch.inf, -torch.inf),
}


def magnitudes(values: NDArray[np.float32]) -> NDArray[np.int32]:
    """In an order in which what is not finite is largest."""
    return np.abs(values).view(np.int32)


@given(st.integers(1, 3000), ratios)
def test_it_keeps_the_largest_exactly_and_nothing_else(numel: int, ratio: float) -> None:
    vector = normal(numel, numel)
    kept = math.ceil(ratio * numel)
    threshold = vector.abs().sort(descending=True).values[kept - 1]

    result = TopK(ratio).decompress(TopK(ratio).compress(vector))

    assert torch.equal(result, torch.where(vector.abs() >= threshold, vector, 0.0))


@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("ratio", [1e-5, 0.01, 0.06, 0.3])
def test_positions_of_the_largest_of_any_vector(name: str, ratio: float) -> None:
    values = AWKWARD[name].numpy()
    kept = math.ceil(ratio * LONG)

    found = np.concatenate(list(largest.largest(values.view(np.int32), kept)))

    assert np.all(np.diff(found) > 0)
    assert np.sort(magnitudes(values)[found]).tolist() == np.sort(magnitudes(values))[LONG - kept :].tolist()


@pytest.mark.parametrize("name", AWKWARD)
def test_whatever_way_they_are_found_they_are_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    vector = AWKWARD[name]
    expected = TopK(0.01).compress(vector).payload
    monkeypatch.setattr(largest, "_SPARSE", 0.0)
    monkeypatch.setattr(largest, "_PIECE", 10_000)
    residual = vector.clone()

    actual = TopK(0.01).compress(residual, residual).payload

    assert torch.equal(actual, expected)
    assert residual.count_nonzero() == max(0, vector.count_nonzero() - math.ceil(0.01 * LONG))


@given(st.integers(1, 3000), ratios)
def test_the_contraction_is_at_least_k_over_n(numel: int, ratio: float) -> None:
    vector = normal(numel, numel).round(decimals=1)
    residual = torch.empty_like(vector)
    TopK(ratio).compress(vector, residual)

    left, whole = float(residual.double().square().sum()), float(vector.double().square().sum())

    assert left <= (1 - math.ceil(ratio * numel) / numel) * whole + 1e-9


def test_an_index_takes_less_than_ten_bits_at_one_percent() -> None:
    for numel in (10_000, 11_171_146):
        kept = math.ceil(numel / 100)

        assert (TopK(0.01).payload_bytes(numel) - 4 * kept) * 8 / kept < 8.7


def test_kept_entirely_it_costs_a_bit_more_than_the_vector() -> None:
    assert TopK(1.0).payload_bytes(80) == 4 * 80 + 10


def test_the_largest_are_found_in_little_memory() -> None:
    values = normal(2**21).numpy().view(np.int32)

    found = largest._candidates(values, 2**21 // 100)

    assert found is not None
    assert found.base is not None
    assert found.base.nbytes < 0.05 * values.nbytes


@pytest.mark.parametrize("ratio", [0, -0.5, 2])
def test_a_ratio_outside_0_to_1_is_refused(ratio: float) -> None:
    with pytest.raises(ValidationError, match=r"less than or equal to 1|greater than 0"):
        TopK(ratio)
