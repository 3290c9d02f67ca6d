import shlex
from pathlib import Path
from typing import Any

import pytest

from liecbench.prediction.transport_command import transport_command
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.prediction.transport_fit import fit_transport
from liecbench.report import prediction_page
from tests.cli.in_process import run_in_process
from tests.namespace_support import skip_without_namespaces
from tests.prediction.made_predictions import predicted
from tests.prediction.made_profiles import made_profile

UNEVEN = {"rate": "10mbit", "workers": {1: {"up": "20mbit", "down": "400mbit"}}}


@pytest.mark.parametrize(
    ("numel", "workers", "link", "options"),
    [
        (5000, (2,), "10mbit", "--size 5000 --workers 2 --link 10mbit --link 100mbit"),
        (5000, (4, 3, 64), "1gbit", "--size 5000 --workers 3 --link 100mbit --link 1gbit"),
        (5000, (1,), "1gbit,20mbit,100mbit", "--size 5000 --workers 2 --link 20mbit --link 1gbit"),
        (5000, (64,), "1mbit,400gbit", "--size 5000 --workers 8 --link 1mbit --link 32gbit"),  # none is higher
        (5000, (2,), {"rate": "10mbit", "delay": "5ms"}, "--size 5000 --workers 2 --link 10mbit --link 100mbit"),
        (5000, (2,), UNEVEN, "--size 5000 --workers 2 --link 10mbit --link 400mbit"),
        # 64 bits for each of 3,125,000 elements take 2 s at 100 Mbit/s.
        (50_000_000, (2,), "10mbit", "--size 3125000 --workers 2 --link 10mbit --link 100mbit"),
        (50_000_000, (2,), "1gbit", "--size 11171146 --workers 2 --link 100mbit --link 1gbit"),
    ],
)
def test_the_command_measures_what_is_predicted(numel: int, workers: tuple[int, ...], link: Any, options: str) -> None:
    request = predicted(["ddp"], workers, link, made_profile([numel])).request

    assert transport_command(request) == f"liecbench bench exchange {options} --format json > exchange.json"


# For 2 and 8 workers at 10 Mbit/s: the measured workers and rates, and whether the output has the command.
MEASURED = [
    ((), None, True),
    ((2,), (10**7, 10**8), False),  # 8 workers are not measured by the command either
    ((4,), (10**7, 10**8), True),
    ((2, 4), (10**7, 10**8), False),
    ((2, 8), (10**8, 10**9), True),
    ((2, 8), (10**6, 10**9), False),
]


@pytest.mark.parametrize(("workers", "rates", "is_advised"), MEASURED)
def test_the_output_has_the_command_if_it_measures_what_is_assumed_or_extrapolated(
    workers: tuple[int, ...], rates: tuple[int, int] | None, is_advised: bool
) -> None:
    found = predicted(["ddp"], (2, 8), "10mbit", made_profile([5000]), TransportCosts(workers=workers, rates=rates))

    command = "liecbench bench exchange --size 5000 --workers 2 --link 10mbit --link 100mbit --format json"
    advice = f"`{command} > exchange.json`, and give --transport exchange.json"
    assert (advice in prediction_page.markdown(found)) == is_advised


def test_the_output_of_the_command_leaves_nothing_extrapolated(tmp_path: Path) -> None:
    skip_without_namespaces()
    before = predicted(["ddp", "liec"], (2,), "10mbit", made_profile([5000]))
    words = shlex.split(transport_command(before.request).partition(" > ")[0])

    (tmp_path / "exchange.json").write_text(run_in_process(*words[1:]).stdout)
    costs = fit_transport(tmp_path / "exchange.json")
    after = predicted(["ddp", "liec"], (2,), "10mbit", made_profile([5000]), costs)

    assert (costs.workers, costs.rates) == ((2,), (10**7, 10**8))
    assert {flag for row in after.rows for flag in row.flags} == {"predicted", "without_method_times"}
