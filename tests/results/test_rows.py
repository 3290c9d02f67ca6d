import pytest

from liecbench.errors import LiecbenchError
from liecbench.results.rows import grouped
from tests.ledgers import rows_of, run_of


def test_grouping_keeps_the_order_within_a_group() -> None:
    runs = [
        run_of("a", workers=2, link="1mbit"),
        run_of("b", workers=2, link="2mbit"),
        run_of("c", workers=4, link="1mbit"),
        run_of("d", workers=4, link="2mbit"),
    ]
    rows = grouped(rows_of(*runs), "link")
    actual = [(row.fields["link"], row.fields["workers"]) for row in rows]

    assert actual == [("1mbit", 2), ("1mbit", 4), ("2mbit", 2), ("2mbit", 4)]


def test_an_unknown_field_suggests_the_nearest() -> None:
    with pytest.raises(LiecbenchError) as raised:
        grouped(rows_of(run_of("a")), "algoritm")

    assert str(raised.value) == "--by algoritm: there is no such field; did you mean algorithm?"
