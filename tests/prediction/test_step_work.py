"""The work of a step: when blocks of gradient are ready to be sent."""

from typing import Literal

import pytest
import torch

from liecbench.algorithms import PSGD
from liecbench.compressors.identity import Identity
from liecbench.prediction.step_work import step_work
from liecbench.profiles.profile import CompressorTimes, Duration, Line, ParameterTimes, Profile

NOTHING = Line(constant=0.0, per_element=0.0)
# Name, elements, and when the gradient is ready: the bias of the last block is ready after a layer of the next block.
PARAMETERS = (
    ("early", 2_000_000, 0.9),
    ("small", 300_000, 0.4),
    ("late", 1_500_000, 0.2),
    ("bias", 10, 0.3),
    ("last", 1_500_000, 0.1),
)


def ready(bucket_bytes: int | Literal["whole"]) -> list[float]:
    profile = Profile(
        forward=Duration(median=0.5),
        backward=Duration(median=1.0),
        optimizer=Duration(median=0.0),
        parameters=tuple(ParameterTimes(name=n, shape=(numel,), ready_seconds=t) for n, numel, t in PARAMETERS),
    )
    psgd = PSGD(block_bytes=8_000_000)
    schedule = psgd.schedule([torch.Size(p.shape) for p in profile.parameters], world_size=2, step=0)
    times = CompressorTimes(compressor={"name": "identity"}, compress=NOTHING, decompress=NOTHING, accumulate=NOTHING)
    work = step_work(schedule, profile, {repr(Identity()): times}, bucket_bytes=bucket_bytes)
    return [block.ready_seconds for block in work.blocks]


def test_buckets_smaller_than_blocks_hand_over_blocks_earlier() -> None:
    # ``bias`` and ``last`` are one block, ``small`` and ``late`` the next, and ``early`` has its own.
    # Buckets of 8 MB: last and late (12 MB), and then all others. Of 1 MiB: last, late, bias and small (1.2 MB), early.
    assert ready(8_000_000) == [0.9, 0.9, 0.9]
    assert ready(2**20) == [0.4, 0.4, 0.9]
    assert PSGD(block_bytes=8_000_000).bucket_bytes == 2**20


@pytest.mark.parametrize(("block", "bucket"), [(2000, 2000), (25 * 2**20, 25 * 2**17), ("whole", "whole")])
def test_buckets_are_an_eighth_of_a_block_but_no_smaller_than_a_mebibyte(
    block: int | Literal["whole"], bucket: int | Literal["whole"]
) -> None:
    assert PSGD(block_bytes=block).bucket_bytes == bucket
