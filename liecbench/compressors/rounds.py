"""Repeated compression: what one message leaves goes into the next."""

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor

from liecbench.compressors.base import Compressor, Message
from liecbench.compressors.codecs.rng import Randomised


@dataclass(frozen=True, config=ConfigDict(arbitrary_types_allowed=True))
class Rounds(Randomised):
    """C_R: a ← 0; ``rounds`` times a ← a + C(v − a). The messages of the rounds travel one after the other.

    Of a draw with stage σ, round r takes the numbers of stage σ · ``rounds`` + r, so no two rounds share them.
    Source: NEOLITHIC (Huang et al. 2022, arXiv 2206.03665).
    """

    compressor: Compressor
    rounds: Annotated[int, Ge(1)]

    @property
    def is_contraction(self) -> bool:
        """As the compressor of each round."""
        return self.compressor.is_contraction

    def is_finite(self, message: Message) -> bool:
        """Whether every round's message is."""
        return all(c.is_finite(part) for c, part in self._parts(message.payload, message.numel))

    def payload_bytes(self, numel: int) -> int:
        """The bytes of all rounds."""
        return self.rounds * self.compressor.payload_bytes(numel)

    def _compress(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        left = torch.empty_like(tensor) if residual is None else residual
        size = payload.numel() // self.rounds
        for r, compressor in enumerate(self._each):
            message = compressor.compress(left if r else tensor, left)
            payload[r * size : (r + 1) * size].copy_(message.payload)

    def _decompress(self, payload: Tensor, out: Tensor, accumulate: bool, weight: float) -> None:
        for r, (compressor, part) in enumerate(self._parts(payload, out.numel())):
            compressor.decompress(part, out, accumulate or r > 0, weight)

    def _compress_on_gpu(self, tensor: Tensor, payload: Tensor, residual: Tensor | None) -> None:
        self._compress(tensor, payload, residual)

    def _sum_messages_on_gpu(self, payloads: Sequence[Tensor], out: Tensor, accumulate: bool, weight: float) -> None:
        """Rounds that draw nothing are added up together."""
        parts = [part for payload in payloads for part in self._parts(payload, out.numel())]
        for _, alike in itertools.groupby(parts, key=lambda part: id(part[0])):
            (compressor, *_), messages = zip(*alike, strict=True)
            compressor.sum_messages(messages, out, accumulate, weight)
            accumulate = True

    def _is_finite_on_gpu(self, message: Message) -> Tensor:
        parts = self._parts(message.payload, message.numel)
        return torch.stack([compressor.finite_flag(part) for compressor, part in parts]).all()

    @functools.cached_property
    def _each(self) -> list[Compressor]:
        first = self._draw.stage * self.rounds
        return [self.compressor.with_rng(dataclasses.replace(self._draw, stage=first + r)) for r in range(self.rounds)]

    def _parts(self, payload: Tensor, numel: int) -> list[tuple[Compressor, Message]]:
        """Copies: a round's message may start at an address that float32 cannot have."""
        parts = payload.view(self.rounds, -1)
        return [(compressor, Message(part.clone(), numel)) for compressor, part in zip(self._each, parts, strict=True)]
