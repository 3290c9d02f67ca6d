"""The request for predictions: a profile, methods, numbers of workers, links and the costs of the transport."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from liecbench.network.link_map import LinkMap
from liecbench.prediction.baseline_setting import BaselineSetting
from liecbench.prediction.method_choice import Method
from liecbench.prediction.node_links import NodeLinks
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.profiles.profile import Profile
from liecbench.results.whose_compute import ComputeSource

_SAME: Final = BaselineSetting()


@dataclass(frozen=True, kw_only=True)
class Request:
    """Everything that predictions are made from.

    Attributes:
        profile: The times of one device.
        methods: The methods.
        baseline: The method that others are compared with, one of ``methods``.
        workers: The numbers of workers for which to predict.
        links: The links for which to predict, all shaped.
        costs: The constants of the transport, such as the seconds per message besides the transfer.
        ranks_per_node: The number of workers per node.
        inner_bits_per_second: The rate of the links inside nodes; needed if ``ranks_per_node`` is above 1.
        baseline_setting: The number of workers and the links of the baseline, if they are fixed.
        scenario: The file of the scenario whose model is predicted; None if no scenario gives a model.
    """

    profile: Profile
    methods: tuple[Method, ...]
    baseline: Method
    workers: tuple[int, ...]
    links: tuple[LinkMap, ...]
    costs: TransportCosts
    ranks_per_node: int = 1
    inner_bits_per_second: float | None = None
    baseline_setting: BaselineSetting = _SAME
    scenario: Path | None = None

    @property
    def compute_source(self) -> ComputeSource:
        """The source of compute seconds: ``assumed`` if the profile's origin is ``assumed``, else ``predicted``."""
        return "assumed" if self.profile.origin == "assumed" else "predicted"

    @property
    def nodes(self) -> NodeLinks | None:
        """The links inside nodes; None if every worker is a node of its own."""
        if self.ranks_per_node == 1 or self.inner_bits_per_second is None:
            return None
        return NodeLinks(ranks_per_node=self.ranks_per_node, bits_per_second=self.inner_bits_per_second)
