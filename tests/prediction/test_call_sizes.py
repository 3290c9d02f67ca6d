import pytest

from liecbench.algorithms.comm.schedule import Call, Direction, Schedule, ScheduledAllReduce
from liecbench.compressors import Identity, Sign
from liecbench.prediction.call_sizes import CallSizes, largest_message_bytes
from liecbench.profiles.profile import CompressorTimes, Line

NOTHING = Line(constant=0.0, per_element=0.0)
TIMES = CompressorTimes(compressor={"name": "identity"}, compress=NOTHING, decompress=NOTHING, accumulate=NOTHING)


def call(direction: Direction, numel: int) -> Call:
    return Call(direction=direction, numel=numel, compressor=Identity(), block=0)


def sizes(direction: Direction, numel: int, schedule: Schedule) -> CallSizes:
    return CallSizes.of(call(direction, numel), schedule, TIMES)


def test_a_vector_is_cut_into_a_shard_per_rank_and_the_last_is_smaller() -> None:
    found = sizes("push", 1000, Schedule(world_size=3, server="sharded"))

    assert found.num_shards == 3
    assert 2 * found.numel + found.last_numel == 1000
    assert 0 < found.last_numel <= found.numel
    assert (found.num_bytes, found.last_bytes) == (4 * found.numel, 4 * found.last_numel)
    assert found.total_bytes == 4000
    assert [found.own(rank)[0] for rank in range(4)] == [found.numel, found.numel, found.last_numel, 0]


@pytest.mark.parametrize(
    ("direction", "server", "shards"), [("push", "root", 1), ("pull", "root", 1), ("gather", None, 3)]
)
def test_a_root_server_and_a_gather_send_whole_vectors(direction: Direction, server: str, shards: int) -> None:
    schedule = Schedule(world_size=3, server=server)  # type: ignore[arg-type]
    found = sizes(direction, 1000, schedule)

    assert (found.num_shards, found.numel, found.last_numel) == (shards, 1000, 1000)
    assert found.total_bytes == shards * 4000


def test_the_largest_message_is_that_of_any_call_or_all_reduce() -> None:
    pushes = [call("push", 1000), Call(direction="push", numel=10_000, compressor=Sign(), block=1)]
    reduced = ScheduledAllReduce(num_bytes=30_000, bucket=0, depends_on=())

    assert largest_message_bytes(Schedule(world_size=2)) == 0
    assert largest_message_bytes(Schedule(world_size=2, server="root", calls=tuple(pushes))) == 4000
    # Ten thousand signs take 1250 bytes, and their scale a few.
    assert 1250 < largest_message_bytes(Schedule(world_size=2, server="root", calls=tuple(pushes[1:]))) < 1300
    assert largest_message_bytes(Schedule(world_size=3, all_reduces=(reduced,))) == 10_000
