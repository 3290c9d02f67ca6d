import pytest

from liecbench.prediction.named_methods import named_methods
from liecbench.prediction.prediction_inputs import parse_links
from liecbench.prediction.prediction_request import Request
from liecbench.prediction.profile_sources import AssumedNumbers
from liecbench.prediction.recorded_request import RecordedRequest
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.profiles.profile import Profile


def recorded(algorithms: list[str], outline: Profile, workers: tuple[int, ...] = (2,)) -> RecordedRequest:
    methods = named_methods(algorithms, ["sign"], "sharded")
    links, costs = parse_links("10mbit"), TransportCosts()
    return RecordedRequest.of(
        Request(profile=outline, methods=methods, baseline=methods[0], workers=workers, links=links, costs=costs)
    )


@pytest.mark.parametrize(
    ("algorithms", "expected"),
    [
        (["neolithic"], {"sign"}),  # repeated
        (["psgd"], set()),  # dense
        (["int8_allreduce", "signsgd", "sparseloco", "liec"], {"int8", "Votes", "Majority", "chunked_top_k", "sign"}),
    ],
)
def test_an_assumed_profile_has_the_compressors_that_methods_use(algorithms: list[str], expected: set[str]) -> None:
    source = AssumedNumbers(num_parameters=1_000_000, step_seconds=0.1, compress_gbytes_per_second=2.0)
    found = recorded(algorithms, source.outline, (2, 8))
    said: list[str] = []

    profile = source.profile(found, said.append)

    assert {times.compressor["name"] for times in profile.compressors} == expected
    assert all(one.work(profile) for one in found)
    assert said == []
