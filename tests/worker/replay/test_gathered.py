import pytest
import torch.distributed as dist

from liecbench.worker.replay.gathered import gathered
from tests.distributed import run_ranks


def gather_twice() -> tuple[list[dict[str, int]], list[str]]:
    own = {"rank": dist.get_rank()}
    return gathered(own, at_most_bytes=100), gathered("x" * dist.get_rank(), at_most_bytes=50)


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_every_rank_has_the_objects_of_all_ranks_in_their_order(world_size: int) -> None:
    expected = [{"rank": rank} for rank in range(world_size)], ["x" * rank for rank in range(world_size)]

    assert run_ranks(gather_twice, world_size) == [expected] * world_size


def gather_too_much() -> None:
    with pytest.raises(AssertionError, match="bytes are more than 8"):
        gathered("a long text", at_most_bytes=8)


def test_a_larger_object_than_agreed_is_a_programmers_error() -> None:
    run_ranks(gather_too_much, 1)
