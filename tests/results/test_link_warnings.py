import json
from dataclasses import replace
from typing import Any

from liecbench.network.deviation import Deviation
from liecbench.results.environment_record import Environment
from liecbench.results.link_warnings import deviation_warning, link_deviations
from tests.ledgers import cells_of, comparison_of, run_of, start

NEAR = {"up_bits_per_second": 1e8, "down_bits_per_second": 1e8, "round_trip_seconds": 0.001}
SLOW = {**NEAR, "up_bits_per_second": 0.8e8}


def run_on(algorithm: str, *measured: dict[str, float]) -> list[Any]:
    link = {"enforcement": "kernel", "asked": "100mbit", "measured": measured}
    begun = start(algorithm, algorithm=algorithm, link="100mbit", workers=len(measured))
    return [
        replace(begun, environment=Environment.of({"link": json.loads(json.dumps(link))})),
        *run_of(algorithm, algorithm=algorithm, link="100mbit", workers=len(measured))[1:],
    ]


def test_a_rows_deviations_are_those_of_its_links() -> None:
    (cell,) = cells_of(run_on("ddp", NEAR, SLOW))

    assert link_deviations([cell, cell]) == (Deviation(rank=1, of="up", asked=1e8, measured=0.8e8),)


def test_a_warning_says_how_far_links_may_be_off() -> None:
    assert deviation_warning([Deviation(rank=0, of="down", asked=1e8, measured=5e7)]) == (
        "its link is off by more than 5% of its rate or 10% of its round trip: "
        "rank 0 down: asked 100mbit, measured 50mbit (-50%)"
    )


def test_a_comparison_merges_all_deviations_also_those_that_a_row_does_not_name() -> None:
    slower = [{**NEAR, "up_bits_per_second": rate} for rate in (0.9e8, 0.85e8, 0.8e8, 0.7e8)]
    found = comparison_of(run_on("ddp", *slower), run_on("psgd", NEAR, SLOW, NEAR, NEAR))

    assert found.warnings[0].endswith("measured 80mbit (-20%) and 1 more")
    assert found.merged_warnings[0] == "links of 100mbit carried 70mbit to 90mbit"
