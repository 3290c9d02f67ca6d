"""Random numbers of compressors: the same whenever a message is made again, and independent between messages."""

import dataclasses
from typing import ClassVar, Self

from liecbench.compressors.base import Compressor, RngKey

_MASK = 0xFFFF_FFFF_FFFF_FFFF


@dataclasses.dataclass(frozen=True)
class Randomised(Compressor):
    """A compressor that derives random numbers from ``rng_key``, which ``with_rng`` sets.

    The key is no option: two compressors with equal options compare equal even if their keys differ.
    """

    rng_key: ClassVar[RngKey] = RngKey()

    def with_rng(self, key: RngKey) -> Self:
        """Return a compressor with the same options and the random numbers of ``key``."""
        bound = dataclasses.replace(self)
        object.__setattr__(bound, "rng_key", key)
        return bound

    def seed_of_message(self, seed: int) -> int:
        """Return the 64-bit seed of a message; it differs between senders."""
        key = self.rng_key
        return mix(seed, key.step, key.block, key.shard, key.stage, key.sender, key.from_server)

    def seed_of_all_senders(self, seed: int) -> int:
        """Return the 64-bit seed that the messages of all senders, the server included, share."""
        key = self.rng_key
        return mix(seed, key.step, key.block, key.shard, key.stage)


def mix(*numbers: int) -> int:
    """Return 64 bits that depend on every one of ``numbers`` and on their order.

    Source: the finaliser of SplitMix64 (Steele et al. 2014, Fast splittable pseudorandom number generators), applied
    after each number is added.
    """
    state = 0
    for number in numbers:
        state = (state + number + 0x9E37_79B9_7F4A_7C15) & _MASK
        state = (state ^ state >> 30) * 0xBF58_476D_1CE4_E5B9 & _MASK
        state = (state ^ state >> 27) * 0x94D0_49BB_1331_11EB & _MASK
        state ^= state >> 31
    return state
