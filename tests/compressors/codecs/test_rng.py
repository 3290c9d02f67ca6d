"""Random numbers are the same for the same key, independent for different keys, and no option of a compressor."""

import dataclasses
from typing import Any

import pytest
import torch

from liecbench.compressors import QSGD, Compressor, RandomK, RngKey, Rounds, TernGrad
from liecbench.compressors.codecs.rng import mix
from tests.compressors.vectors import normal

RANDOMISED: list[Compressor] = [RandomK(0.1), RandomK(0.1, unbiased=True), QSGD(), TernGrad(), Rounds(TernGrad(), 2)]
FIELDS = [field.name for field in dataclasses.fields(RngKey)]
randomised = pytest.mark.parametrize("compressor", RANDOMISED, ids=str)


def error(compressor: Compressor, vector: torch.Tensor) -> torch.Tensor:
    residual = torch.empty_like(vector)
    compressor.compress(vector, residual)
    return residual


def correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([first, second]).double())[0, 1])


@randomised
def test_a_key_is_no_option(compressor: Compressor) -> None:
    bound = compressor.with_rng(RngKey(step=5, sender=1))

    assert (bound, str(bound), hash(bound)) == (compressor, str(compressor), hash(compressor))


@randomised
def test_without_a_key_the_key_is_all_zeros(compressor: Compressor) -> None:
    vector = normal(1000)

    assert torch.equal(compressor.compress(vector).payload, compressor.with_rng(RngKey()).compress(vector).payload)


@randomised
def test_a_key_replaces_an_earlier_key(compressor: Compressor) -> None:
    vector, key = normal(1000), RngKey(step=2)
    bound = compressor.with_rng(RngKey(step=1))
    bound.compress(vector)

    assert torch.equal(bound.with_rng(key).compress(vector).payload, compressor.with_rng(key).compress(vector).payload)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("compressor", [QSGD(), TernGrad()], ids=str)
def test_rounding_with_two_keys_is_uncorrelated(compressor: Compressor, field: str) -> None:
    vector = normal(100_000)
    first = error(compressor, vector)

    fields: dict[str, Any] = {field: 1}
    second = error(compressor.with_rng(RngKey(**fields)), vector)

    assert abs(correlation(first, second)) < 5 / 100_000**0.5


@pytest.mark.parametrize("shift", [1, 2, 8, 512, 1280])
def test_neighbours_are_rounded_independently(shift: int) -> None:
    left = error(TernGrad(), torch.cat([torch.ones(1), torch.full((100_000,), 0.5)]))[1:]

    assert abs(correlation(left[shift:], left[:-shift])) < 5 / 100_000**0.5


def test_rounding_with_two_seeds_is_uncorrelated() -> None:
    vector = normal(100_000)

    assert abs(correlation(error(TernGrad(seed=0), vector), error(TernGrad(seed=1), vector))) < 5 / 100_000**0.5


def test_mixed_numbers_depend_on_order_and_on_every_number() -> None:
    numbers = [(a, b, c) for a in range(9) for b in range(9) for c in range(9)]

    assert len({mix(*each) for each in numbers}) == len(numbers)
    assert all(0 <= mix(*each) < 2**64 for each in [(2**70, 1), (0,), (2**64 - 1,)])
