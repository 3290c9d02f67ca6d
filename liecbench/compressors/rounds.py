"""The compressor Rounds: apply another compressor several times, each time to the part of the vector not yet sent."""

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor, Message
from liecbench.compressors.codecs.rng import Randomised


@dataclass(frozen=True, config=ConfigDict(arbitrary_types_allowed=True))
class Rounds(Randomised):
    """Repeated compression: start with a = 0, and repeat a ← a + C(v − a) ``rounds`` times. The message decodes to a.

    C is ``compressor``. One message holds the messages of all rounds. Each round has random numbers of its own.
    Source: NEOLITHIC (Huang et al. 2022, arXiv 2206.03665).
    """

    device_independent: ClassVar[bool] = True

    compressor: Compressor
    rounds: Annotated[int, Ge(1)]

    @property
    def is_contraction(self) -> bool:
        """True if ``compressor``, which every round applies, is a contraction."""
        return self.compressor.is_contraction

    @property
    def decodes_by_sender(self) -> bool:
        """True if decoding a message of ``compressor`` needs the random numbers of the message's sender."""
        return self.compressor.decodes_by_sender

    def payload_bytes(self, numel: int) -> int:
        """Return the payload bytes for ``numel`` elements: ``rounds`` times the payload bytes of ``compressor``."""
        return self.rounds * self.compressor.payload_bytes(numel)

    def encode(self, vector: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        """Write the messages of all rounds to ``payload``, one after the other.

        The first round compresses ``vector``. Each later round compresses ``vector`` minus the sum of the decoded
        messages of all earlier rounds. Unless ``residual`` is None, ``vector`` minus the sum of all decoded messages is
        written to ``residual``.
        """
        left = torch.empty_like(vector) if residual is None else residual
        for r, (compressor, part) in enumerate(zip(self._compressors, payload.view(self.rounds, -1), strict=True)):
            part.copy_(compressor.compress(left if r else vector, left).payload)

    def sum_payloads(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Write ``weight`` times the sum of the decoded payloads to ``out``, or add it if ``accumulate``.

        A payload holds one message of ``compressor`` per round, and decodes to the sum of these messages.
        """
        parts = [part for payload in payloads for part in self._parts(payload, out.numel())]
        # Without random numbers all parts have the same compressor object, and one call adds all of them.
        for _, group in itertools.groupby(parts, key=lambda part: id(part[0])):
            (compressor, *_), inner = zip(*group, strict=True)
            compressor.sum_messages(inner, out, accumulate, weight)
            accumulate = True

    def decode(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        """Write ``weight`` times the sum of all rounds' decoded messages to ``out``, or add it if ``accumulate``."""
        self.sum_payloads([payload], out, accumulate, weight)

    def all_finite(self, payload: Tensor, numel: int) -> Tensor:
        """Return whether the messages of all rounds are finite, as one boolean tensor of shape []."""
        return torch.stack([compressor.is_finite(part) for compressor, part in self._parts(payload, numel)]).all()

    @functools.cached_property
    def _compressors(self) -> list[Compressor]:
        """One copy of ``compressor`` per round. Each copy uses different random numbers.

        If ``compressor`` uses no random numbers, the list has ``compressor`` itself once per round.
        """
        # ``rounds`` stages for each push of a step, so that no two rounds of the step have the same key.
        first = self.rng_key.stage * self.rounds
        keys = [dataclasses.replace(self.rng_key, stage=first + r) for r in range(self.rounds)]
        return [self.compressor.with_rng(key) for key in keys]

    def _parts(self, payload: Tensor, numel: int) -> list[tuple[Compressor, Message]]:
        """Return, for each round, its compressor and its part of ``payload`` as a message.

        The parts are copied, because a part may start at an address at which a tensor cannot be viewed as float32.
        """
        parts = payload.view(self.rounds, -1)
        return [(c, Message(part.clone(), numel)) for c, part in zip(self._compressors, parts, strict=True)]
