import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from liecbench.compressors import TopK
from liecbench.compressors.kernels.cpu import largest
from tests.compressors.vectors import normal

LONG = 300_000


def with_values(vector: torch.Tensor, *values: float) -> torch.Tensor:
    vector[: len(values)] = torch.tensor(values)
    return vector.roll(LONG // 2)


# Longer than the sample that suggests a threshold; in some the sample misleads.
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
    "not finite": with_values(normal(LONG), torch.nan, torch.inf, -torch.inf),
}


def magnitudes(values: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return integers in the order of magnitudes; values that are not finite are largest."""
    return np.abs(values).view(np.int32)


@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("ratio", [1e-5, 0.01, 0.06, 0.3])
def test_positions_are_those_of_the_largest_magnitudes(name: str, ratio: float) -> None:
    values = AWKWARD[name].numpy()
    kept = math.ceil(ratio * LONG)

    found = np.concatenate(list(largest.largest_positions(values.view(np.int32), kept)))

    assert np.all(np.diff(found) > 0)
    assert np.sort(magnitudes(values)[found]).tolist() == np.sort(magnitudes(values))[LONG - kept :].tolist()


@pytest.mark.parametrize("name", AWKWARD)
def test_sampling_and_counting_find_the_same_entries(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    vector = AWKWARD[name]
    expected = TopK(0.01).compress(vector).payload
    monkeypatch.setattr(largest, "_LARGEST_SAMPLED_FRACTION", 0.0)
    monkeypatch.setattr(largest, "_PIECE", 10_000)
    residual = vector.clone()

    actual = TopK(0.01).compress(residual, residual).payload

    assert torch.equal(actual, expected)
    assert residual.count_nonzero() == max(0, vector.count_nonzero() - math.ceil(0.01 * LONG))


def test_candidates_take_little_memory() -> None:
    values = normal(2**21).numpy().view(np.int32)

    found = largest._candidates(values, 2**21 // 100)

    assert found is not None
    assert found.base is not None
    assert found.base.nbytes < 0.05 * values.nbytes
