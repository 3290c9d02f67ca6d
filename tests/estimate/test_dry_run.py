from pathlib import Path
from typing import Any

import pytest

from liecbench.config.cell import Job
from liecbench.estimate.dry_run import lines
from liecbench.launch.pending import Pending
from tests.estimate.estimated_cells import cell

LOSSY = {"rate": "100mbit", "delay": "20ms", "loss": "1%"}


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        # 1.2247 × 1514 bytes ÷ (80.3 ms × √0.0199).
        (LOSSY, "losses leave one TCP stream about 1.31mbit, as estimated by Mathis' formula"),
        ({**LOSSY, "loss": "0%"}, None),
        # A quarter of a millisecond of round trip leaves a stream more than the rate.
        ({"rate": "5mbit", "loss": "0.01%"}, None),
    ],
)
def test_a_dry_run_says_what_losses_leave_of_a_links_rate(link: Any, expected: str | None) -> None:
    pending = Pending(jobs=(Job(cell=cell(link=link)),), sessions=())
    notes = [line.partition(", ")[2] for line in lines(pending, 1, Path("results")) if "losses" in line]

    assert notes == ([] if expected is None else [expected])
