import pytest

from liecbench.report.page_answers import headline
from liecbench.results.records import Record
from tests.ledgers import comparison_of, run_of


def runs(link: str, accuracies: tuple[float, ...], seconds: float = 1.0) -> list[list[Record]]:
    """Return runs of ddp, which takes 4 s an epoch and reaches 90 %, and of liec, one per accuracy."""
    found = []
    for seed, accuracy in enumerate(accuracies):
        found.append(run_of(f"d{link}{seed}", [{"seconds": 4.0, "accuracy": 0.9}], seed=seed, link=link))
        liec = [{"seconds": seconds, "accuracy": accuracy}]
        found.append(run_of(f"l{link}{seed}", liec, algorithm="liec", seed=seed, link=link))
    return found


KEPT, VARYING = (0.9, 0.9, 0.9, 0.9), (0.9, 0.8, 0.95, 0.85)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (KEPT, KEPT, "Compression is shown to pay on both links"),
        (VARYING, VARYING, "Faster on both links, but not shown yet to keep the accuracy"),
        (
            KEPT,
            VARYING,
            "Compression is shown to pay on 1 of 2 links; faster on 1, but not shown yet to keep the accuracy",
        ),
        (KEPT[:1], KEPT[:1], "On both links it is not known yet whether compression pays"),
    ],
)
def test_the_headline_counts_the_links_of_each_answer(
    first: tuple[float, ...], second: tuple[float, ...], expected: str
) -> None:
    assert headline(comparison_of(*runs("10mbit", first), *runs("1gbit", second))) == expected


def test_slower_methods_do_not_pay() -> None:
    found = comparison_of(*runs("10mbit", KEPT, seconds=8.0), *runs("1gbit", KEPT, seconds=8.0))

    assert headline(found) == "On both links compression does not pay"
