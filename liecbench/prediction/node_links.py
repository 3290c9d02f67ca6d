"""Predict the time of messages between the ranks of one node, for nodes that have several ranks each."""

from dataclasses import dataclass
from typing import Final

from liecbench.prediction.rank_links import one_way_seconds
from liecbench.prediction.server_exchange import Span

# Assumed: what a message inside a node takes besides its transfer.
INNER_MESSAGE_SECONDS: Final = 20e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLinks:
    """The links between the ranks of one node, all of equal rate.

    The dense gradient is first reduced inside each node, and later the result is sent to all ranks of the node. These
    two operations together cost as much as a ring all-reduce: each of a node's r ranks sends and receives 2(r − 1)/r
    times the gradient's bytes, in 2(r − 1) messages.

    Attributes:
        ranks_per_node: The number of ranks in a node.
        bits_per_second: The rate of each rank's link inside its node.
    """

    ranks_per_node: int
    bits_per_second: float

    def span(self, num_bytes: int) -> Span:
        """Return the time to reduce a vector over the ranks of a node, and to send the result back to these ranks.

        ``seconds`` of the result is the time of both operations together. ``wire_seconds`` is the part in which the
        messages are transferred at ``bits_per_second``. Both are 0 if a node has one rank.

        Args:
            num_bytes: Size of each rank's vector.
        """
        if self.ranks_per_node == 1 or not num_bytes:
            return Span()
        messages = 2 * (self.ranks_per_node - 1)
        wire = one_way_seconds(self.bits_per_second, messages / self.ranks_per_node * num_bytes)
        return Span(seconds=wire + messages * INNER_MESSAGE_SECONDS, wire_seconds=wire)
