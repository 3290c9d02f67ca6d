import pytest

from liecbench.config.cell import Cell
from liecbench.results.comparison_of_cells import compare
from liecbench.results.environment_record import Environment
from tests.break_even_ledger import ledger
from tests.ledgers import cells_of, spec


@pytest.mark.parametrize(
    ("recorded", "advised"),
    [([None, None], "0.01"), ([0.02, 0.02], "0.01"), ([0.01, 0.01], "0.005"), ([0.02, 0.01], "0.005")],
)
def test_more_rounds_come_from_half_of_the_precision_that_sessions_aimed_at(
    recorded: list[float | None], advised: str
) -> None:
    # Both methods are equally fast at this rate.
    asked = [Cell.from_spec(spec(name, link="50mbit", timing="interleaved")) for name in ("ddp", "psgd")]
    timed = [cell for cell in cells_of(ledger(asked)) if cell.is_interleaved]
    for cell, precision in zip(timed, recorded, strict=True):
        cell.environment = Environment(timing_precision=precision)
    advice = f"time more rounds with `liecbench run SCENARIO --set timing_precision={advised}`"

    assert f"no recommendation: no method is shown to be faster; {advice}" in compare(timed, baseline="ddp").verdict
