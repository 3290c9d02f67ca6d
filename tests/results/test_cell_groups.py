import pytest

from liecbench.errors import LiecbenchError
from liecbench.results.cell_groups import check_baseline
from tests.ledgers import cells_of, run_of


def test_an_unknown_baseline_suggests_the_nearest() -> None:
    with pytest.raises(LiecbenchError) as raised:
        check_baseline(cells_of(run_of("a"), run_of("b", algorithm="liec")), "leic")

    assert str(raised.value) == "--baseline leic: no cell has this algorithm; did you mean liec?"
