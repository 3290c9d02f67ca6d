"""Predictions from made-up profiles, for the tests of predictions."""

from typing import Any

from liecbench.algorithms.comm.partition import ServerPlace
from liecbench.network.link_map import LinkMap
from liecbench.prediction.named_methods import named_methods
from liecbench.prediction.prediction_inputs import parse_links
from liecbench.prediction.prediction_request import Request
from liecbench.prediction.predictions import Predictions, predict
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.profiles.profile import Profile
from tests.prediction.made_profiles import made_profile

COSTS = TransportCosts(message_seconds=1e-6, segment_seconds=1e-6, step_seconds=0.0, message_spread=0.0)


def predicted(
    algorithms: list[str],
    workers: tuple[int, ...] = (2,),
    link: Any = "10mbit,100mbit,1gbit",
    profile: Profile | None = None,
    costs: TransportCosts = COSTS,
    server: ServerPlace = "sharded",
    **changes: Any,
) -> Predictions:
    links = parse_links(link) if isinstance(link, str) else (LinkMap.parse(link),)
    methods = named_methods(algorithms, ["sign"], server)
    request = Request(
        profile=profile or made_profile([1_000_000]),
        methods=methods,
        baseline=methods[0],
        workers=workers,
        links=links,
        costs=costs,
        **changes,
    )
    return predict(request)
