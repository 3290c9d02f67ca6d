import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from liecbench.compressors.codecs import codebook
from liecbench.compressors.kernels import cpu
from tests.compressors.vectors import normal, vectors


def by_kernel(vector: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the codebook, the packed codes and the decoded values."""
    means, codes = torch.full((4,), 7.0), torch.full((codebook.packed_bytes(vector.numel()),), 255, dtype=torch.uint8)
    values = vector.clone()
    cpu.codebook.quantize(values.numpy(), means.numpy(), codes.numpy())
    return means, codes, values


def by_codec(vector: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same by PyTorch's operations, which a GPU uses."""
    means, codes = torch.zeros(4), torch.zeros(codebook.packed_bytes(vector.numel()), dtype=torch.uint8)

    def write_mean(values: Tensor, mean: Tensor) -> None:
        mean.fill_(float(cpu.magnitude.mean_magnitude(values.numpy())))

    return means, codes, codebook.quantize(vector, means, codes, write_mean)


def same(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors have the same bits."""
    return torch.equal(one.view(torch.uint8), other.view(torch.uint8))


@given(vector=vectors(9000))
@settings(max_examples=30)
def test_the_kernel_gives_the_bits_of_the_codec(vector: Tensor) -> None:
    assert all(map(same, by_kernel(vector), by_codec(vector)))


@pytest.mark.parametrize("special", [torch.nan, torch.inf, -torch.inf])
def test_a_value_that_is_not_finite_makes_the_codebook_nan(special: float) -> None:
    vector = normal(100)
    vector[17] = special

    means, codes, values = by_kernel(vector)

    assert means.isnan().all()
    assert values.isnan().all()
    assert torch.equal(codes, by_codec(vector)[1])


@given(vector=vectors(100))
@settings(max_examples=10)
def test_unpacked_values_are_those_of_the_sender(vector: Tensor) -> None:
    means, codes, values = by_kernel(vector)

    unpacked = torch.from_numpy(cpu.codebook.unpack(codes.numpy(), means.numpy(), vector.numel()))

    assert torch.equal(unpacked, values)
    assert torch.equal(means.index_select(0, codebook.unpack(codes, vector.numel())), values)
