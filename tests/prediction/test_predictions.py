from typing import Any

import pytest

from liecbench.errors import LiecbenchError
from liecbench.prediction import server_exchange
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.profiles.profile import MethodTimes
from tests.prediction.made_predictions import predicted
from tests.prediction.made_profiles import made_profile


@pytest.mark.parametrize(
    ("link", "message"),
    [("none", "has no rate"), ({"rate": "10mbit", "loss": "0.1%"}, "lose frames are not predicted; measure them")],
    ids=["unshaped", "loss"],
)
def test_links_that_cannot_be_predicted_are_refused(link: Any, message: str) -> None:
    with pytest.raises(LiecbenchError, match=message):
        predicted(["ddp"], link=link)


def test_a_compressor_that_the_profile_lacks_is_refused() -> None:
    profile = made_profile().model_copy(update={"compressors": ()})

    with pytest.raises(
        LiecbenchError, match=r"compressor sign, only of none; .* after adding liec with sign to the scen"
    ):
        predicted(["liec"], profile=profile)


def test_messages_far_larger_than_the_measured_ones_are_refused() -> None:
    with pytest.raises(LiecbenchError, match=r"over 16 × the largest one .* measure larger ones"):
        predicted(["psgd"], profile=made_profile([1_000_000]), costs=TransportCosts(largest_bytes=100_000))


def test_workers_that_do_not_fill_nodes_are_refused() -> None:
    with pytest.raises(LiecbenchError, match="6 workers are no whole number of nodes with 4 each"):
        predicted(["ddp"], workers=(6,), ranks_per_node=4, inner_bits_per_second=1e11)


def test_thousands_of_workers_take_no_more_work_than_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    original = server_exchange._rank_seconds

    def counting(*arguments: Any) -> Any:
        counted.append(1)
        return original(*arguments)

    monkeypatch.setattr(server_exchange, "_rank_seconds", counting)
    numbers = []
    for workers in (8, 4096):
        counted.clear()
        predicted(["ddp", "psgd", "memsgd", "liec"], workers=(workers,), link="1gbit")
        numbers.append(len(counted))

    assert numbers[1] <= 2 * numbers[0], numbers


def test_a_method_without_compressor_does_not_compress() -> None:
    local = MethodTimes(algorithm={"name": "ddp"}, compressor=None, kind="step", local=1.0)
    profile = made_profile().model_copy(update={"methods": (local,)})

    found = predicted(["ddp"], profile=profile)

    assert {row.bottleneck for row in found.rows} == {"method"}
    assert [one.limited_by for one in found.bandwidths] == ["method"]
