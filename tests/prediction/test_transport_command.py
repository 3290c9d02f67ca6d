import shlex
from pathlib import Path
from typing import Any

import pytest

from liecbench.errors import LiecbenchError
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

    assert transport_command(request, 4 * numel // 64) == f"liecbench bench exchange {options} --format json"


# The largest predicted message, the workers and the link, and the options of the command.
LARGE = [
    # 16 · 4 · 312,500 bytes, which 10 Mbit/s allow: 64 bits for each element take 2 s.
    (20_000_000, (2,), "1mbit", "exchange --size 312500 --workers 2 --link 1mbit --link 10mbit"),
    # 25 MiB ÷ 16 are 409,600 elements, which take 2 s at 13.1 Mbit/s.
    (25 * 2**20, (2,), "1mbit", "exchange --size 409600 --workers 2 --link 1mbit --link 20mbit"),
    (25 * 2**20, (16,), "2mbit", "exchange --size 625000 --workers 8 --link 2mbit --link 20mbit"),
    # A vector of the default size is sent in two blocks of 22.3 MB.
    (400 * 2**20, (2,), "1gbit", "exchange --size 6553600 --workers 2 --link 100mbit --link 1gbit"),
    (400 * 2**20, (2,), "1mbit", "exchange --size 6553600 --workers 2 --link 1mbit --link 500mbit"),
    # Blocks of more than 25 MiB are no part of the benchmark. 78 MiB take 2 s at 327 Mbit/s.
    (1_238_928_384, (2, 8), "10mbit", "link --size 64KiB --size 74MiB --workers 2 --link 10mbit --link 500mbit"),
    (1_238_928_384, (2, 8), "1gbit,10gbit", "link --size 64KiB --size 74MiB --workers 2 --link 1gbit --link 10gbit"),
]


@pytest.mark.parametrize(("largest", "workers", "link", "options"), LARGE)
def test_the_command_measures_messages_of_a_sixteenth_of_the_largest(
    largest: int, workers: tuple[int, ...], link: str, options: str
) -> None:
    request = predicted(["ddp"], workers, link, made_profile([50_000_000])).request

    assert transport_command(request, largest) == f"liecbench bench {options} --format json"


@pytest.mark.parametrize(
    ("numel", "message"),
    [
        # Whole blocks of 4 bytes per element. A sixteenth of 4 GiB are 256 MiB.
        (
            2**30,
            r"16 × the largest one for which costs are assumed, .* --size 256MiB --workers 2 --link 1mbit --link 2gbit",
        ),
        (2**32 + 1, "is over 17,179,869,184 bytes, for which nothing can be measured; give more workers, smaller blo"),
    ],
)
def test_too_large_messages_are_refused_with_a_whole_command_if_there_is_one(numel: int, message: str) -> None:
    with pytest.raises(LiecbenchError, match=message):
        predicted(["psgd"], (2,), "1mbit", made_profile([numel]), server="root")


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


# The elements of the model, the link, and the measured rates.
FOLLOWED = [
    (5000, "10mbit", (10**7, 10**8)),
    # A message of 32 MiB is 16 × one of 2 MiB, which takes over 2 s at 10 Mbit/s with its answer.
    pytest.param(2**23, "1mbit", (10**6, 2 * 10**7), marks=pytest.mark.long),
]


@pytest.mark.parametrize(("numel", "link", "rates"), FOLLOWED)
def test_the_output_of_the_command_leaves_nothing_extrapolated(
    tmp_path: Path, numel: int, link: str, rates: tuple[int, int]
) -> None:
    skip_without_namespaces()
    before = predicted(["ddp", "psgd", "liec"], (2,), link, made_profile([numel]), TransportCosts(), server="root")
    words = shlex.split(transport_command(before.request, before.largest_bytes))

    (tmp_path / "exchange.json").write_text(run_in_process(*words[1:]).stdout)
    costs = fit_transport(tmp_path / "exchange.json")
    after = predicted(["ddp", "psgd", "liec"], (2,), link, made_profile([numel]), costs, server="root")

    assert before.largest_bytes == 4 * numel
    assert (costs.workers, costs.rates) == ((2,), rates)
    assert {flag for row in after.rows for flag in row.flags} == {"predicted", "without_method_times"}
