"""The measurement of a compressor's operations: an artificial compressor of known cost gives its own line."""

import time
from typing import ClassVar

import pytest
import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor
from liecbench.compressors.identity import Identity
from liecbench.compressors.majority_vote import Majority
from liecbench.worker.compressor_times import measure_compressor, measure_copies, sizes_up_to

CPU = torch.device("cpu")
CONSTANT, PER_ELEMENT = 2e-3, 2e-7


def compute_for(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


@dataclass(frozen=True)
class Slow(Compressor):
    """Sends one byte; encoding takes a known time, and decoding half of it."""

    device_independent: ClassVar[bool] = True

    def payload_bytes(self, numel: int) -> int:
        return 1

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        assert residual is not None, "error feedback keeps what is lost"
        compute_for(CONSTANT + PER_ELEMENT * vector.numel())

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        compute_for((CONSTANT + PER_ELEMENT * out.numel()) / 2)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        return torch.tensor(True)


def test_sizes_go_down_to_about_a_thousand_elements() -> None:
    assert sizes_up_to(11_171_146) == [2727, 10909, 43637, 174549, 698196, 2792786, 11171146]
    assert sizes_up_to(4096) == [1024, 4096]
    assert sizes_up_to(10) == [10]


def test_a_compressor_of_known_cost_gives_its_line() -> None:
    times = measure_compressor(Slow(), [1000, 10_000, 40_000], CPU)

    assert times.compressor == {"name": "Slow"}
    for numel in (1000, 40_000):
        expected = CONSTANT + PER_ELEMENT * numel
        assert expected <= times.compress.seconds(numel) < 2 * expected
        for line in (times.decompress, times.accumulate):
            assert expected / 2 <= line.seconds(numel) < expected


def test_compressors_without_residuals_are_measured_without() -> None:
    for compressor in (Identity(), Majority()):
        times = measure_compressor(compressor, [1024], CPU)
        assert times.compress.seconds(1024) > 0


@pytest.mark.gpu
def test_copies_between_a_gpu_and_the_host() -> None:
    lines = measure_copies([2**10, 2**24], torch.device("cuda"))

    assert set(lines) == {"copy_to_host", "copy_to_device"}
    for line in lines.values():
        # PCIe carries less than 1 TB/s.
        assert line.seconds(2**24) > 4 * 2**24 / 1e12
