"""A method with its options, compressor and server, as a scenario or the command line gives them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from liecbench.config import registry
from liecbench.config.choice import Choice
from liecbench.config.factory import make_compressor
from liecbench.config.method_labels import method_label, option_label

if TYPE_CHECKING:
    from liecbench.algorithms.base import Algorithm
    from liecbench.algorithms.comm.partition import BlockOrder, ServerPlace


@dataclass(frozen=True, kw_only=True, eq=False)
class Method:
    """A method with its options, as they are given in a scenario.

    Attributes:
        algorithm: The algorithm's name and options.
        compressor: The compressor's name and options; None if the algorithm takes none.
        server: ``root`` if rank 0 is the server, ``sharded`` if every rank serves a shard of each block. None if the
            algorithm has no server.
        block_bytes: The size of blocks of gradient, or of DDP's buckets; None for the algorithm's own default.
        block_order: ``backward`` if blocks are filled from the last tensor to the first, ``forward`` if from the first
            to the last.
        accumulate: The number of minibatches whose gradients are accumulated in a step.
        update: The task's fields that describe the optimizer, as ``update_of`` returns them; None for the optimizer
            that the profile was measured with.
    """

    algorithm: Choice
    compressor: Choice | None = None
    server: "ServerPlace | None" = None
    block_bytes: int | Literal["whole"] | None = None
    block_order: "BlockOrder" = "backward"
    accumulate: int = 1
    update: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The name for tables, such as ``liec(sign)``."""
        compressed = "" if self.compressor is None else f"({self.compressor.name})"
        return f"{self.algorithm.name}{compressed}"

    def label(self, methods: Sequence["Method"]) -> str:
        """Return the name and the options that tell the method apart from others of this name in ``methods``.

        Examples are ``liec(sign) average period 32`` and ``ddp accumulate 4``.
        """
        alike = [one for one in methods if one.name == self.name]
        named = method_label(self.algorithm, self.compressor, [(one.algorithm, one.compressor) for one in alike])
        own, others = self._other_fields(), [one._other_fields() for one in alike]
        # The options of an optimizer tell only methods with this optimizer apart.
        apart = [name for name in own if any(other.get(name, own[name]) != own[name] for other in others)]
        return " ".join([named, *(option_label(name, own[name]) for name in apart if own[name] is not None)])

    def _other_fields(self) -> dict[str, Any]:
        fields = {"block_bytes": self.block_bytes, "block_order": self.block_order, "accumulate": self.accumulate}
        update = dict(self.update or {})
        optimizer = dict(update.pop("optimizer", None) or {})
        name = optimizer.pop("name", None)
        return {**fields, "optimizer": name, **optimizer, **update}

    def make(self) -> "Algorithm":
        """Return a new instance of the algorithm."""
        parts: dict[str, Any] = {} if self.block_bytes is None else {"block_bytes": self.block_bytes}
        if self.block_order != "backward":
            parts["block_order"] = self.block_order
        if self.compressor is not None:
            parts["compressor"] = make_compressor(self.compressor, seed=0)
        if self.server is not None:
            parts["server"] = self.server
        made = registry.load("algorithm", self.algorithm.name)(**self.algorithm.options, **parts)
        return cast("Algorithm", made)
