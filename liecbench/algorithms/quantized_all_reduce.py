"""The methods ``int8_allreduce`` and ``int4_allreduce``: all-reduces in two hops, each of which sends quantized values.

Both methods compute the same update as ``csgd`` with sharded servers and the compressor ``int8`` or ``int4``, with
``values_per_scale: 256``.
"""

from typing import ClassVar

from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.algorithms.base import CONFIG
from liecbench.algorithms.block_algorithm import BlockAlgorithm
from liecbench.algorithms.comm.partition import Block, ServerPlace
from liecbench.algorithms.method_notes import MethodNotes
from liecbench.compressors.base import Compressor
from liecbench.compressors.int4 import Int4
from liecbench.compressors.int8 import Int8


@dataclass(kw_only=True, eq=False, config=CONFIG)
class QuantizedAllReduce(BlockAlgorithm):
    """u = C(mean(C(g_i))), by an all-to-all of quantized shards, a float32 mean, and an all-gather of quantized means.

    g_i is worker i's gradient, and u the update. There is no error feedback. Every rank averages one shard of each
    block in float32, and quantizes the mean. An entry is thus quantized twice: in the worker's gradient, and in the
    mean. Each time, quantizing adds an error of at most half a quantization step. The update equals that of ``csgd``
    with ``server: sharded`` and the compressor ``quantizer``.

    Source: the two-hop all-reduce of ZeRO++ (Wang et al. 2023, arXiv 2306.10209), as in torchft.

    Attributes:
        quantizer: The compressor C.
    """

    quantizer: ClassVar[Compressor]

    @property
    def server_place(self) -> ServerPlace:
        """The place of the server, ``sharded``: every rank averages one shard of each block."""
        return "sharded"

    def push_compressor(self, step: int) -> Compressor:
        """Return the compressor of every step: ``quantizer``."""
        return self.quantizer

    def reduce(self, block: Block) -> Tensor:
        """Return u = C(mean(C(g_i))), where C is the quantizer and g_i is worker i's gradient."""
        mean = self.exchange.push(self.quantizer, block.gradient, out=block.gradient)
        return self.exchange.pull(self.quantizer, mean, out=block.gradient)


@dataclass(kw_only=True, eq=False, config=CONFIG)
class Int8AllReduce(QuantizedAllReduce):
    """ZeRO++'s two-hop all-reduce with 8 bits per value and one scale per 256 values, without error feedback."""

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends=(
            "every shard of the gradient in 8 bits to the rank that averages it, in float32; the mean back in 8 bits"
        ),
        remembers="nothing",
        source=(
            "ZeRO++ (Wang et al. 2023, arXiv 2306.10209), whose gradients take 4 bits; torchft's quantized all-reduce"
        ),
        differs="levels are symmetric around 0, with a float32 scale for every 256 values",
    )

    quantizer: ClassVar[Compressor] = Int8(values_per_scale=256)
    cpu_kernels: ClassVar[tuple[str, ...]] = Int8.cpu_kernels


@dataclass(kw_only=True, eq=False, config=CONFIG)
class Int4AllReduce(QuantizedAllReduce):
    """ZeRO++'s two-hop all-reduce with 4 bits per value and one scale per 256 values, without error feedback."""

    notes: ClassVar[MethodNotes | None] = MethodNotes(
        sends=(
            "every shard of the gradient in 4 bits to the rank that averages it, in float32; the mean back in 4 bits"
        ),
        remembers="nothing",
        source="ZeRO++ (Wang et al. 2023, arXiv 2306.10209)",
        differs=(
            "levels are symmetric around 0, with a float32 scale for every 256 values; one all-to-all over all "
            "ranks, not one within a node and one between nodes"
        ),
    )

    quantizer: ClassVar[Compressor] = Int4(values_per_scale=256)
    cpu_kernels: ClassVar[tuple[str, ...]] = Int4.cpu_kernels
