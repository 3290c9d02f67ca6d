"""Properties of compressors that only a GPU shows: no waiting, large sizes, the right GPU."""

import pytest
import torch

from liecbench.compressors import (
    BF16,
    FP16,
    QSGD,
    ChunkedTopK,
    Compressor,
    Identity,
    Int4,
    Int8,
    RandomK,
    RngKey,
    Rounds,
    Sign,
    SignL2,
    TernGrad,
    TopK,
)
from liecbench.compressors.majority_vote import Majority, Votes
from tests.compressors.test_compressors import EVERY
from tests.compressors.vectors import normal

pytestmark = pytest.mark.gpu

LARGE: list[Compressor] = [
    Identity(),
    Sign(),
    SignL2(),
    TopK(0.01),
    TopK(0.5),
    ChunkedTopK(),
    RandomK(0.01),
    QSGD(),
    TernGrad(),
    FP16(),
    BF16(),
    Int8(),
    Int8(values_per_scale=256),
    Int4(),
    Rounds(Sign(), 2),
]
# The last elements are 2³¹ bytes behind the first.
LONG = 2**29 + 1285
BYTES_PER_ELEMENT = 48


def residual_of(compressor: Compressor, vector: torch.Tensor) -> torch.Tensor | None:
    return None if isinstance(compressor, Votes | Majority) else torch.empty_like(vector)


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
@pytest.mark.parametrize("compressor", [*EVERY, Votes(), Majority()], ids=str)
def test_the_host_does_not_wait_for_the_gpu(compressor: Compressor) -> None:
    vector, out = normal(100_000).cuda(), torch.zeros(100_000, device="cuda")
    residual = residual_of(compressor, vector)
    compressor.sum_messages([compressor.compress(vector, residual)] * 2, out)  # compiles the kernels
    fresh = compressor.with_rng(RngKey(step=1))
    torch.cuda.set_sync_debug_mode("error")
    try:
        message = fresh.compress(vector, residual)
        fresh.sum_messages([message, message], out, True, 1 / 3)
        flag = fresh.is_finite(message)
    finally:
        torch.cuda.set_sync_debug_mode("default")

    assert flag.item()


@pytest.mark.parametrize("compressor", LARGE, ids=str)
def test_vectors_of_more_than_two_gibibytes(compressor: Compressor) -> None:
    torch.cuda.empty_cache()
    free_bytes, _ = torch.cuda.mem_get_info()
    if free_bytes < LONG * BYTES_PER_ELEMENT:
        pytest.skip(
            f"needs {LONG * BYTES_PER_ELEMENT / 1e9:.0f} GB of the GPU's memory, {free_bytes / 1e9:.0f} are free"
        )
    vector = torch.randn(LONG, generator=torch.Generator("cuda").manual_seed(0), device="cuda")
    residual = torch.empty_like(vector)

    message = compressor.compress(vector, residual)
    together = compressor.decompress(message, residual, accumulate=True)

    assert bool(compressor.is_finite(message))
    assert float(together.sub_(vector).abs_().max()) <= 3e-6 * float(vector.abs().max())


@pytest.mark.parametrize("compressor", [*EVERY, Votes(), Majority()], ids=str)
def test_kernels_run_on_the_gpu_of_the_vector(compressor: Compressor) -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    vector = normal(5000)
    here = compressor.compress(vector, residual_of(compressor, vector))

    there = compressor.compress(vector.to("cuda:1"), residual_of(compressor, vector.to("cuda:1")))
    sum_there = compressor.sum_messages([there, there], torch.zeros(5000, device="cuda:1"))

    assert torch.equal(here.payload, there.payload.cpu())
    assert torch.equal(compressor.sum_messages([here, here], torch.zeros(5000)), sum_there.cpu())
    assert bool(compressor.is_finite(there))
