import dataclasses
from typing import Any

import pytest

from liecbench.config.cell import Cell
from liecbench.results.record_order import RecordOrder
from liecbench.results.records import Epoch, Record
from liecbench.results.timing_record import Timing
from tests import break_even_ledger
from tests.ledgers import cell_id, consistent, end, epoch, run_of, spec, start

ID = cell_id()
RUN: list[Any] = list(consistent(run_of("a", [{}, {}])))
BEGUN, FIRST, SECOND, ENDED = RUN
TIMED: list[Any] = list(
    break_even_ledger.ledger([Cell.from_spec(spec(link="10mbit", timing="interleaved"))], placements=1)
)


def problems(records: list[Record]) -> list[str]:
    order = RecordOrder()
    return [text for record in records if (text := order.next(record)) is not None]


def again(**fields: Any) -> Record:
    changed: Record = dataclasses.replace(BEGUN, attempt=2, **fields)
    return changed


@pytest.mark.parametrize(
    "records",
    [
        [BEGUN, FIRST, SECOND, ENDED],
        [BEGUN, FIRST],
        [*TIMED],
        [BEGUN, FIRST, SECOND, again(epochs_done=1), dataclasses.replace(SECOND, attempt=2)],
        [BEGUN, FIRST, again(epochs_done=0), dataclasses.replace(FIRST, attempt=2)],
        [BEGUN, dataclasses.replace(ENDED, status="diverged", error="the loss is NaN"), again(epochs_done=0)],
    ],
)
def test_what_runs_write_is_whole(records: list[Record]) -> None:
    assert problems(records) == []


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([FIRST, SECOND, ENDED], [f"epoch 1 of cell {ID}, which has no start"]),
        ([ENDED], [f"an end of cell {ID}, which has no start"]),
        ([BEGUN, SECOND, ENDED], [f"epoch 2 of cell {ID} after its start"]),
        ([BEGUN, FIRST, FIRST, SECOND, ENDED], [f"epoch 1 of cell {ID} after epoch 1"]),
        (
            [BEGUN, SECOND, FIRST, ENDED],
            [
                f"epoch 2 of cell {ID} after its start",
                f"epoch 1 of cell {ID} after epoch 2",
                f"cell {ID} completed with 1 of 2 epochs",
            ],
        ),
        ([BEGUN, FIRST, ENDED], [f"cell {ID} completed with 1 of 2 epochs"]),
        (
            [BEGUN, FIRST, SECOND, dataclasses.replace(ENDED, error="out of memory")],
            [f"cell {ID} completed, and its end has an error"],
        ),
        ([BEGUN, FIRST, SECOND, ENDED, ENDED], [f"an end of cell {ID} after the end of its attempt 1"]),
        ([BEGUN, BEGUN], [f"attempt 1 of cell {ID} begins after attempt 1"]),
        ([again()], [f"attempt 2 of cell {ID} begins after attempt 0"]),
        ([BEGUN, again(epochs_done=1)], [f"cell {ID} goes on after epoch 1; epochs recorded before: 0"]),
        ([BEGUN, again(), FIRST], [f"epoch 1 of attempt 1 of cell {ID}, whose latest start is of attempt 2"]),
        ([TIMED[-2]], [f"a burst of contestant {TIMED[-2].contestant}, of which no cell has a start"]),
    ],
)
def test_what_no_run_writes_is_named(records: list[Record], expected: list[str]) -> None:
    assert problems(records) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"payload_bytes": {"sent": [1], "received": [1, 1]}},
            "payload_bytes.sent has length 1, and the cell has 2 ranks",
        ),
        (
            {"wire_bytes": {"sent": [1, 1], "received": [1, 1, 1]}},
            "wire_bytes.received has length 3, and the cell has 2 ranks",
        ),
        ({"messages": []}, "messages has length 0, and the cell has 2 ranks"),
        ({"timed_steps": 23}, "23 of 22 steps are timed"),
        ({"train_seconds": 0.0}, "22 timed steps took 0 s"),
        ({"timed_steps": 0}, "0 timed steps took 1 s"),
        ({"step_kinds": {"step": 21}}, "step_kinds has 21 steps, and the epoch 22"),
        (
            {"exposed_wire_seconds": 0.25, "exposed_compress_seconds": 0.25, "other_seconds": 0.5},
            "train_seconds is 1, and its parts sum to 1.5",
        ),
    ],
)
def test_an_epoch_that_contradicts_itself_or_its_spec_is_named(changes: dict[str, Any], expected: str) -> None:
    assert problems([BEGUN, dataclasses.replace(FIRST, **changes)]) == [expected]


def test_parts_may_differ_from_the_whole_by_rounding() -> None:
    parts = {"exposed_wire_seconds": 0.25, "exposed_compress_seconds": 0.125, "other_seconds": 0.125 + 1e-8}

    assert problems([BEGUN, dataclasses.replace(FIRST, **parts)]) == []


def test_more_epochs_than_the_spec_has_are_named() -> None:
    third: Epoch = dataclasses.replace(epoch(ID, 3))

    assert problems([BEGUN, FIRST, SECOND, third]) == [f"epoch 3 of cell {ID}, whose spec has 2"]


def test_a_repeated_burst_and_one_of_other_ranks_are_named() -> None:
    burst = next(record for record in TIMED if isinstance(record, Timing))
    fewer = dataclasses.replace(burst, round=9, payload_bytes={"sent": [1], "received": [1]})

    assert problems([*TIMED, burst, fewer]) == [
        f"a second burst of contestant {burst.contestant} in round 0 of placement 0",
        "payload_bytes.sent has length 1, and the cell has 2 ranks",
    ]


BURST: Any = next(record for record in TIMED if isinstance(record, Timing))
OTHER_SHARE = BURST.kind_share / 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"compute_seconds": 10 * BURST.seconds}, f"seconds is {BURST.seconds:g}, and its parts sum to "),
        ({"seconds": BURST.seconds / 1000}, f"seconds is {BURST.seconds / 1000:g}, and its parts sum to "),
        ({"step_quantiles": [0.2, 0.1]}, f"step_quantiles of {BURST.steps} steps has 2 numbers, or falls"),
        ({"steps": 1, "step_quantiles": [0.1, 0.2]}, "step_quantiles of 1 steps has 2 numbers, or falls"),
        ({"kind_share": OTHER_SHARE}, f"kind_share of '{BURST.kind}' is {OTHER_SHARE:g}, and {BURST.kind_share:g} in"),
        ({"kind": "other"}, f"kind_share of contestant {BURST.contestant}'s step kinds sums to "),
    ],
)
def test_a_burst_that_contradicts_itself_or_others_is_named(changes: dict[str, Any], expected: str) -> None:
    changed = dataclasses.replace(BURST, round=9, raw_seconds=None, dilation=1, **changes)

    (found,) = problems([*TIMED, changed])
    assert found.startswith(expected)


def test_a_spec_that_is_not_that_of_the_id_is_named() -> None:
    other = dataclasses.replace(start(ID), spec=spec(workers=4))

    assert problems([other, end(ID, status="failed")]) == [
        f"cell {ID} has another spec: its id is not the hash of this one",
        f"an end of cell {ID}, which has no start",
    ]
