"""Random numbers of a compressor: which draw it is bound to, and the key that draw stands for."""

import dataclasses
from typing import ClassVar, Self

from liecbench.compressors.base import Compressor, RngKey

_MASK = 0xFFFF_FFFF_FFFF_FFFF


@dataclasses.dataclass(frozen=True)
class Randomised(Compressor):
    """A compressor whose message depends on a draw; that of ``RngKey()`` until ``with_rng`` binds another.

    A draw is no option: bound or not, compressors with the same options are equal.
    """

    _draw: ClassVar[RngKey] = RngKey()

    def with_rng(self, key: RngKey) -> Self:
        """These options with the random numbers of ``key``."""
        bound = dataclasses.replace(self)
        object.__setattr__(bound, "_draw", key)
        return bound

    def _key(self, seed: int) -> int:
        """The key of a message of which every sender has one of its own."""
        draw = self._draw
        return key(seed, draw.step, draw.block, draw.shard, draw.stage, draw.sender, draw.from_server)


def key(*numbers: int) -> int:
    """64 bits that stand for ``numbers`` in their order: SplitMix64's finaliser after each (Steele et al. 2014)."""
    state = 0
    for number in numbers:
        state = (state + number + 0x9E37_79B9_7F4A_7C15) & _MASK
        state = (state ^ state >> 30) * 0xBF58_476D_1CE4_E5B9 & _MASK
        state = (state ^ state >> 27) * 0x94D0_49BB_1331_11EB & _MASK
        state ^= state >> 31
    return state
