"""Seeds of compressors that use random numbers: reproducible, and different for every message."""

import dataclasses
from typing import ClassVar, Self

from liecbench.compressors.base import Compressor, RngKey

_MASK = 0xFFFF_FFFF_FFFF_FFFF


@dataclasses.dataclass(frozen=True)
class Randomised(Compressor):
    """The base class of compressors with random numbers, which depend on ``rng_key``, the identity of the message.

    Call ``with_rng`` to get a copy of the compressor with another key. ``rng_key`` is not an option of the compressor:
    two compressors with equal options are equal even if their keys differ.
    """

    rng_key: ClassVar[RngKey] = RngKey()

    def with_rng(self, key: RngKey) -> Self:
        """Return a copy of this compressor with the same options, which uses the random numbers of ``key``."""
        bound = dataclasses.replace(self)
        object.__setattr__(bound, "rng_key", key)
        return bound

    def seed_of_message(self, seed: int) -> int:
        """Return a 64-bit seed that differs for every message.

        The result depends on ``seed`` and on all fields of ``rng_key``, which identify the message.
        """
        key = self.rng_key
        return mix(seed, key.step, key.block, key.shard, key.stage, key.sender, key.from_server)

    def seed_of_all_senders(self, seed: int) -> int:
        """Return a 64-bit seed that does not depend on the sender of the message.

        The result depends on ``seed`` and on the step, block, shard and stage in ``rng_key``, but not on ``sender`` and
        ``from_server``. In a push of a block, all workers' messages to one server therefore get equal seeds. The
        server's message in the following pull gets an equal seed, too.
        """
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
