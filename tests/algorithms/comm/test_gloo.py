"""The number of messages that the Gloo transport has in flight, in real process groups."""

import pytest
import torch
import torch.distributed as dist

from liecbench.algorithms.comm.gloo import GlooTransport
from liecbench.algorithms.comm.group_exchange import GroupExchange
from liecbench.algorithms.comm.partition import ServerPlace
from liecbench.algorithms.comm.path import Path
from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.compressors import Sign
from tests.distributed import run_ranks

NUMEL, WORLD_SIZE = 6000, 6
# Bytes of a dense message from a rank to one of six shards.
DENSE_BYTES = 4 * NUMEL / WORLD_SIZE


class CountingTransport(GlooTransport):
    """Notes the most receives that were started and whose messages had not been waited for."""

    def __init__(self, group: dist.ProcessGroup, server: ServerPlace, watch: Stopwatch, path: Path | None) -> None:
        super().__init__(group, server, watch, None, path)
        self.in_flight = self.most = 0

    def _recv(self, *arguments):  # type: ignore[no-untyped-def]
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        return super()._recv(*arguments)

    def _wait(self, *arguments):  # type: ignore[no-untyped-def]
        message = super()._wait(*arguments)
        self.in_flight -= 1
        return message


def most_receives(server: ServerPlace, path: Path | None) -> tuple[int, int]:
    """Return the most receives in flight of a dense mean, and of a compressed push and pull."""
    group = dist.new_group()
    assert group is not None
    watch, most = Stopwatch(), []
    for is_dense in (True, False):
        transport = CountingTransport(group, server, watch, path)
        exchange = GroupExchange(group, server, watch, transport=transport)
        exchange.begin(0, 0)
        if is_dense:
            assert exchange.mean(torch.ones(NUMEL)).eq(1).all()
        else:
            exchange.pull(Sign(), exchange.push(Sign(), torch.ones(NUMEL)), out=torch.empty(NUMEL))
        most.append(transport.most)
    dense, compressed = most
    return dense, compressed


def test_a_sharded_server_receives_one_dense_and_two_compressed_messages_at_a_time() -> None:
    assert run_ranks(most_receives, WORLD_SIZE, "sharded", None) == [(1, 2)] * WORLD_SIZE


@pytest.mark.parametrize("filling", [2, 3])
def test_messages_that_fill_a_path_with_delay_are_received_at_once(filling: int) -> None:
    path = Path(delay_seconds=filling, bytes_per_second=DENSE_BYTES)

    # The one that arrives, and as many as are on their way; compressed ones are 32 times as small, and five peers send.
    assert run_ranks(most_receives, WORLD_SIZE, "sharded", path) == [(1 + filling, WORLD_SIZE - 1)] * WORLD_SIZE


def test_a_root_receives_one_dense_message_after_the_other() -> None:
    root, *others = run_ranks(most_receives, WORLD_SIZE, "root", None)

    assert root == (1, 2)
    assert others == [(1, 1)] * (WORLD_SIZE - 1)  # the root's update
