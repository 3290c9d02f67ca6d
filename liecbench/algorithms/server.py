"""The base class of methods that average gradients through a server, during the backward pass, block by block."""

from pydantic.dataclasses import dataclass

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.block_algorithm import BlockAlgorithm
from liecbench.algorithms.comm.partition import ServerPlace


@dataclass(kw_only=True, eq=False, config=CONFIG)
class ServerAlgorithm(BlockAlgorithm):
    """A method that averages through a server: ``reduce`` turns one block of gradient into the block's update.

    ``reduce`` sends vectors to the server with ``exchange.push``, and gets the server's answers with ``exchange.pull``.

    Attributes:
        server: ``root`` (rank 0 is the server of every block) or ``sharded`` (each rank is the server of a shard of
            each block).
    """

    server: ServerPlace = "sharded"

    @property
    def server_place(self) -> ServerPlace:
        """The option ``server``: where the server is."""
        return self.server
