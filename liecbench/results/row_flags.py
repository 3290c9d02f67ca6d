"""Flags of a row: facts about the machine and the records that a reader must know to judge the row's times."""

import statistics
from collections.abc import Mapping
from typing import Final

from liecbench.network.link_map import LinkMap
from liecbench.results.cells import CellResult
from liecbench.results.rows import Row

CPU_BOUND: Final = "cpu_bound"
DISTURBED: Final = "disturbed"
REPLAYED: Final = "replayed"
NOT_TRAINED: Final = "not_trained"
EARLIER_TIMING: Final = "timed_one_after_another"
OTHER_TASK: Final = "other_task"
# If the ranks' threads and the emulation of their links are more than the processors, a row is CPU-bound above this
# share of busy processors; above the second if the ranks replay a profile, and should need hardly any processor.
_BUSY_SHARE: Final = 0.5
_BUSY_SHARE_REPLAYED: Final = 1 / 3
# Likewise if the ranks compute and compress during more than this share of the time, because they then wait for each
# other's processors. With less, two ranks on two cores took as long as replayed ones to 3 %; with more, 1.01 to 2.2
# times as long.
_COMPUTING_SHARE: Final = 0.05
_MAX_OTHER_SHARE: Final = 0.15
# What each flag says of a row, for the line below a table that has the flag.
MEANINGS: Final[Mapping[str, str]] = {
    CPU_BOUND: "the machine has too few processors for the ranks and the emulated links, so steps may take longer than "
    "on machines of their own",
    DISTURBED: f"other processes used over {_MAX_OTHER_SHARE:.0%} of the machine's CPU time meanwhile",
    REPLAYED: "the ranks slept as long as a profile says, instead of computing",
    NOT_TRAINED: "the steps of a profile were timed; nothing was trained, so there is no accuracy",
    OTHER_TASK: "the task differs from the baseline's, for instance in the learning rate",
    EARLIER_TIMING: "an earlier version timed one method after the other, so a drift of the machine may look like a "
    "difference",
}


def row_flags(row: Row) -> tuple[str, ...]:
    """Return the names of a row's flags. ``MEANINGS`` says in a line what each of them means.

    - ``cpu_bound``: the machine has too few processors for the row's threads and the emulation of links, and the ranks
      are busy. For example, ranks are busy if they use over half of the processors.
    - ``disturbed``: other processes used over 15 % of the machine's CPU time. The flag is not set if the ranks replayed
      a profile and woke in time from their sleeps (``Pace.kept_times``).
    - ``timed_one_after_another``: an earlier version of liecbench timed one method after the other, so that a drift of
      the machine may look like a difference.
    - ``replayed``: the row's ranks slept as long as a profile says, instead of computing.
    - ``not_trained``: the row's task is a profile, so that steps were timed without training, and the row has no
      accuracy.
    - ``other_task``: the row's task differs from the baseline's, for instance in the learning rate.
    """
    flags = {
        CPU_BOUND: is_busy(row) or _computes_on_shared_processors(row),
        DISTURBED: (row.pace.other_cpu_share or 0.0) > _MAX_OTHER_SHARE and not row.pace.kept_times,
        REPLAYED: row.is_replayed,
        NOT_TRAINED: not row.is_trained,
        OTHER_TASK: bool(row.task_differences),
        EARLIER_TIMING: row.cells[0].spec.get("timing") in ("measured", "composed"),
    }
    return tuple(name for name, holds in flags.items() if holds)


def is_busy(row: Row) -> bool:
    """Return True if a row needs more processors than there are, and its ranks keep many processors busy.

    Many means over half of the processors, or over a third if the ranks replayed a profile. A row needs one processor
    for each thread of each rank, and one more if links are emulated. The number of busy processors is the CPU time of
    all ranks divided by the real time of training and loading batches. Return False if the number of processors is
    unknown, or if the ranks use the machines' own network.
    """
    num_cpus = _shared_processors(row)
    epochs = [epoch for cell in _completed(row) for epoch in cell.epochs if epoch.timed_steps]
    busy = [
        epoch.cpu_seconds * epoch.timed_steps / epoch.steps / (epoch.train_seconds + epoch.data_seconds)
        for epoch in epochs
        if epoch.train_seconds
    ]
    share = _BUSY_SHARE_REPLAYED if row.is_replayed else _BUSY_SHARE
    # CPU seconds are real ones, and in dilated time an epoch's seconds are real seconds ÷ dilation.
    return bool(num_cpus and busy) and statistics.fmean(busy) / row.dilation > share * num_cpus


def _computes_on_shared_processors(row: Row) -> bool:
    """Return True if ranks share processors, and computing takes a relevant part of an epoch's time.

    The part is relevant if computing and exposed compression together take over 5 %. Compression is exposed while
    training waits for it. Ranks share processors if the row needs more processors than the machine has
    (``_shared_processors``). Return False if the ranks replayed a profile.
    """
    parts = (row.metrics["compute_seconds_per_epoch"], row.metrics["exposed_compress_seconds_per_epoch"])
    total = row.metrics["seconds_per_epoch"]
    if row.is_replayed or total is None or not _shared_processors(row):
        return False
    return sum(part.mean for part in parts if part is not None) > _COMPUTING_SHARE * total.mean


def _shared_processors(row: Row) -> int:
    """Return the machine's number of processors if the row needs more processors than this number, else 0.

    A row needs one processor per thread of each rank, and one more to emulate links that have a rate limit. The result
    is also 0 if the number of processors is unknown, or if the row's link is ``host``.
    """
    cpus = [cell.environment.num_cpus for cell in _completed(row)]
    if not cpus or not all(cpus) or row.fields["link"] == "host":
        return 0
    num_cpus = min(int(number) for number in cpus if number)
    needed = int(row.fields["workers"]) * int(row.fields["threads"])
    needed += LinkMap.parse(row.cells[0].spec["link"]).shaped  # emulation of the links takes a processor, too
    return num_cpus if needed > num_cpus else 0


def _completed(row: Row) -> list[CellResult]:
    return [cell for cell in row.cells if cell.status == "completed"]
