import dataclasses
from typing import Any

import pytest

from liecbench.results.bottleneck import bottleneck, time_shares
from liecbench.results.environment_record import Environment
from liecbench.results.rows import Row
from tests.ledgers import end, epoch, rows_of, start


def row(parts: tuple[float, ...], cpu: float = 0.1) -> Row:
    """Return a row of 4 workers on 2 processors, with an epoch whose parts take these seconds."""
    names = ("compute_seconds", "exposed_wire_seconds", "exposed_compress_seconds", "other_seconds")
    known: dict[str, Any] = dict(zip(names, parts, strict=False))
    trained = dataclasses.replace(epoch("a", seconds=sum(parts)), cpu_seconds=cpu, **known)
    began = dataclasses.replace(start("a", workers=4), environment=Environment(num_cpus=2))
    return rows_of([began, trained, end("a")])[0]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (row((4.0, 3.0, 2.0, 1.0)), "compute"),
        (row((1.0, 4.0, 2.0, 3.0)), "wire"),
        (row((1.0, 2.0, 4.0, 3.0)), "compress"),
        (row((1.0, 2.0, 3.0, 4.0)), "latency"),
        (row((1.0, 2.0, 3.0, 4.0), cpu=11.0), "cpu"),  # of 20 CPU seconds
        (row((1.0, 4.0, 2.0, 3.0), cpu=11.0), "wire"),
        (row((1.0,)), None),  # an earlier version's record
    ],
)
def test_the_bottleneck_is_the_largest_part(found: Row, expected: str | None) -> None:
    assert bottleneck(found) == expected


def test_waiting_on_a_cpu_bound_row_is_for_a_processor() -> None:
    assert time_shares(row((1.0, 2.0, 3.0, 4.0), cpu=11.0)) == pytest.approx(
        {"compute": 0.1, "wire": 0.2, "compress": 0.3, "cpu": 0.4}
    )
