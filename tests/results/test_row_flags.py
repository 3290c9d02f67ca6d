import dataclasses
from typing import Any

import pytest

from liecbench.results import row_flags as flags
from liecbench.results.environment_record import Environment
from liecbench.results.row_flags import EARLIER_TIMING, MEANINGS, row_flags
from liecbench.results.rows import Row
from liecbench.results.timing_record import Timing
from tests import replayed_results
from tests.ledgers import end, epoch, rows_of, start


def row(
    *,
    cpu: float = 0.1,
    data: float = 0.0,
    workers: int = 4,
    num_cpus: int | None = 2,
    other: float | None = None,
    link: str = "20mbit",
    timed: int = 22,
    computing: float = 0.0,
    compress: float = 0.0,
) -> Row:
    """Return a row with an epoch of 22 steps, of which the ``timed`` timed ones take 1 s."""
    trained = dataclasses.replace(
        epoch("a", seconds=1.0, timed=timed),
        cpu_seconds=cpu,
        data_seconds=data,
        other_cpu_share=other,
        compute_seconds=computing,
        exposed_compress_seconds=compress,
    )
    began = dataclasses.replace(start("a", workers=workers, link=link), environment=Environment(num_cpus=num_cpus))
    return rows_of([began, trained, end("a")])[0]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (row(cpu=1.1), True),  # 1.1 of 2 CPU seconds
        (row(cpu=0.9), False),
        (row(cpu=1.1, timed=11), False),  # half of the CPU seconds are those of warm-up steps
        (row(cpu=1.1, data=0.2), False),  # 1.1 of 2.4 CPU seconds
        (row(cpu=1.9, workers=2), True),  # two ranks, and the emulation of their links
        (row(cpu=1.9, workers=2, link="none"), False),
        (row(cpu=1.9, num_cpus=4), False),
        (row(cpu=1.9, num_cpus=None), False),
        (row(cpu=1.9, link="host"), False),
    ],
)
def test_a_row_is_cpu_bound_if_too_many_ranks_keep_the_processors_busy(found: Row, expected: bool) -> None:
    assert expected == ("cpu_bound" in row_flags(found))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (row(computing=0.03, compress=0.019), False),
        (row(computing=0.03, compress=0.021), True),
        (row(computing=0.051, workers=2), True),  # two ranks, and the emulation of their links
        (row(computing=0.5, workers=2, link="none"), False),
        (row(computing=0.5, num_cpus=5), False),
    ],
)
def test_a_row_is_cpu_bound_if_ranks_that_share_processors_compute_over_a_twentieth_of_the_time(
    found: Row, expected: bool
) -> None:
    assert expected == ("cpu_bound" in row_flags(found))


@pytest.mark.parametrize(
    ("cpu", "fields", "expected"),
    [
        (0.65, {"workers": 4}, ("replayed",)),
        (0.68, {"workers": 4}, ("cpu_bound", "replayed")),  # over a third of 2 CPUs
        (0.68, {"workers": 2}, ("cpu_bound", "replayed")),  # two ranks, and the emulation of their links
        (1.9, {"workers": 2, "link": "none"}, ("replayed",)),
    ],
)
def test_a_replayed_row_is_cpu_bound_above_a_third(
    cpu: float, fields: dict[str, Any], expected: tuple[str, ...]
) -> None:
    began = dataclasses.replace(
        start("a", compute="replayed", **{"link": "20mbit", **fields}), environment=Environment(num_cpus=2)
    )
    found = rows_of([began, dataclasses.replace(epoch("a", seconds=1.0), cpu_seconds=cpu), end("a")])[0]

    assert tuple(flag for flag in row_flags(found) if flag != EARLIER_TIMING) == expected


@pytest.mark.parametrize(("other", "expected"), [(0.16, True), (0.15, False), (None, False)])
def test_a_row_is_disturbed_if_other_processes_take_too_much(other: float | None, expected: bool) -> None:
    assert expected == ("disturbed" in row_flags(row(other=other)))


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (0.004, False),  # 8 ms of 2 s
        (0.02, True),
        (None, True),  # as in records of earlier versions
    ],
)
def test_a_replayed_row_is_not_disturbed_if_its_ranks_woke_in_time(late: float | None, expected: bool) -> None:
    found = [
        dataclasses.replace(record, other_cpu_share=0.9, late_seconds=None if late is None else late * record.seconds)
        if isinstance(record, Timing)
        else record
        for record in replayed_results.timed_only()
    ]

    rows = replayed_results.comparison(found).rows

    assert [("disturbed" in row_flags(row)) for row in rows] == [expected] * len(rows)


def test_every_flag_has_a_meaning_of_one_line() -> None:
    named = {getattr(flags, name) for name in vars(flags) if name.isupper() and isinstance(getattr(flags, name), str)}

    assert named == set(MEANINGS)
    assert not any("\n" in meaning for meaning in MEANINGS.values())
