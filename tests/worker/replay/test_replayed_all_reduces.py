"""The order in which replayed all-reduces start and end, in a real process group."""

from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import torch.distributed as dist

from liecbench.algorithms.comm.schedule import Schedule, ScheduledAllReduce
from liecbench.algorithms.comm.timing import Stopwatch
from liecbench.worker.replay.pauses import Pauses
from liecbench.worker.replay.replayed_all_reduces import ReplayedAllReduces
from tests.distributed import run_ranks

NUM_RANKS = 2
# Two buckets of three all-reduces each, as PowerSGD needs.
SCHEDULE = Schedule(
    world_size=NUM_RANKS,
    all_reduces=tuple(
        ScheduledAllReduce(num_bytes=4000, bucket=index // 3, depends_on=(index - 1,) if index % 3 else ())
        for index in range(6)
    ),
)


@dataclass
class WatchedWork:
    """A real all-reduce that notes when it was waited for."""

    work: dist.Work
    number: int
    waited: set[int] = field(default_factory=set)

    def wait(self) -> None:
        self.work.wait()
        self.waited.add(self.number)


def unfinished_at_start() -> list[set[int]]:
    """Return, for each all-reduce, the ones it depends on that were not waited for when it started."""
    started: list[WatchedWork] = []
    waited: set[int] = set()
    missing: list[set[int]] = []
    real = dist.all_reduce

    def watched(*args: Any, **kwargs: Any) -> WatchedWork:
        missing.append(set(SCHEDULE.all_reduces[len(started)].depends_on) - waited)
        work = real(*args, **kwargs)
        assert work is not None
        started.append(WatchedWork(work, len(started), waited))
        return started[-1]

    group = dist.group.WORLD
    assert group is not None
    replayed = ReplayedAllReduces(schedule=SCHEDULE, group=group, watch=Stopwatch(), pauses=Pauses(1.0))
    with patch.object(dist, "all_reduce", watched):
        for bucket in (0, 1):
            replayed.start_bucket(bucket)
        replayed.finish()
    assert waited == set(range(6))
    return missing


def test_an_all_reduce_starts_when_those_it_depends_on_have_ended() -> None:
    for missing in run_ranks(unfinished_at_start, NUM_RANKS):
        assert missing == [set()] * 6
