import dataclasses

from liecbench.results.rows_of_cells import summarise
from tests.ledgers import cells_of, run_of


def test_links_are_sorted_by_rate() -> None:
    links = ["1gbit", "none", "5mbit", {"rate": "100mbit", "delay": "5ms"}, "20mbit", "100mbit"]
    rows = summarise(cells_of(*[run_of(str(link), link=link) for link in links]))

    assert [row.cells[0].spec["link"] for row in rows] == [links[2], links[4], links[3], links[5], links[0], links[1]]


def test_rows_of_each_directory_are_sorted_by_themselves() -> None:
    # 2.1 s for 1280 samples are more per sample than 2.2 s for 1408. Earlier versions did not record the samples.
    cells = []
    for directory, known in (("old", (None, None)), ("new", (1408, 1280))):
        slow = run_of("a", [{"seconds": 2.2, "samples": known[0]}])
        fast = run_of("b", [{"seconds": 2.1, "samples": known[1]}], algorithm="psgd", task={"accumulate": 4})
        cells += [dataclasses.replace(cell, directory=directory) for cell in cells_of(slow, fast)]

    assert [(row.fields["results"], row.algorithm) for row in summarise(cells)] == [
        ("old", "psgd"),
        ("old", "ddp"),
        ("new", "ddp"),
        ("new", "psgd"),
    ]
