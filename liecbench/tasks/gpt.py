"""The model GPT: a small decoder-only transformer.

Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners".
"""

import math
from typing import Annotated

import torch
from annotated_types import Ge
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional

from liecbench.errors import LiecbenchError
from liecbench.tasks.base import Model

_STD = 0.02  # GPT-2's standard deviation of initial weights


class Attention(nn.Module):
    """Causal self-attention with ``heads`` heads, from ``[n, t, width]`` to ``[n, t, width]``.

    ``residual_std`` is the standard deviation of the initial weights of the output projection.
    """

    def __init__(self, width: int, heads: int, residual_std: float) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = _linear(width, 3 * width, _STD)
        self.projection = _linear(width, width, residual_std)

    def forward(self, x: Tensor) -> Tensor:
        """Return, for each position, the projected attention over the values of this position and all earlier ones."""
        by_head = self.qkv(x).unflatten(-1, (3, self.heads, -1)).transpose(1, 3)  # [n, heads, 3, t, width / heads]
        query, key, value = by_head.unbind(2)
        gathered = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        out: Tensor = self.projection(gathered.transpose(1, 2).flatten(2))
        return out


class Block(nn.Module):
    """A pre-norm transformer block: x + attention(norm(x)), then x + MLP(norm(x)) with a hidden layer of 4·width.

    ``residual_std`` is the standard deviation of the initial weights in two layers: the attention's output projection
    and the last layer of the MLP.
    """

    def __init__(self, width: int, heads: int, residual_std: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads, residual_std)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            _linear(width, 4 * width, _STD), nn.GELU(approximate="tanh"), _linear(4 * width, width, residual_std)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output for ``x``; both have the shape ``[batch, tokens, width]``."""
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class Network(nn.Module):
    """A transformer that returns, for every token, logits of the token that follows.

    It maps int64 tokens ``[n, t]``, with ``t`` ≤ ``context``, to logits ``[n, t, vocabulary]``.
    """

    def __init__(self, vocabulary: int, context: int, width: int, layers: int, heads: int) -> None:
        super().__init__()
        # Each block adds to the residual stream twice. With this standard deviation the stream's variance does not grow
        # with ``layers``.
        residual_std = _STD / math.sqrt(2 * layers)
        self.tokens = nn.Parameter(torch.empty(vocabulary, width).normal_(std=_STD))
        self.positions = nn.Parameter(torch.empty(context, width).normal_(std=_STD))
        self.blocks = nn.Sequential(*(Block(width, heads, residual_std) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits. The output layer shares its weights with the token embedding."""
        x = functional.embedding(tokens, self.tokens) + self.positions[: tokens.shape[1]]
        return functional.linear(self.norm(self.blocks(x)), self.tokens)


@dataclass(frozen=True)
class GPT(Model):
    """GPT-2 without dropout: ``layers`` blocks of ``width``; a token's logits do not depend on later tokens.

    A token is represented by a vector of ``width`` numbers; ``heads``, the number of attention heads, must divide
    ``width``. The input shape is ``(context,)``, and the number of classes is the size of the vocabulary. The network
    maps int64 tokens ``[n, t]``, with ``t`` ≤ ``context``, to logits ``[n, t, vocabulary]``.
    """

    width: Annotated[int, Ge(1)] = 128
    layers: Annotated[int, Ge(1)] = 4
    heads: Annotated[int, Ge(1)] = 4

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(
                f"a width of {self.width} does not divide into {self.heads} heads; "
                f"choose a width that is a multiple of {self.heads}, or a number of heads that divides {self.width}"
            )

    def build(self, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
        """Return a new network.

        Args:
            input_shape: The shape ``(context,)`` of a text of ``context`` tokens.
            num_classes: The size of the vocabulary.

        Raises:
            LiecbenchError: If ``input_shape`` does not have exactly one element.
        """
        if len(input_shape) != 1:
            message = f"a gpt takes texts of shape (context,), but examples here have {input_shape}"
            raise LiecbenchError(message, "choose another model or a dataset of texts")
        return Network(num_classes, input_shape[0], self.width, self.layers, self.heads)


def _linear(in_features: int, out_features: int, std: float) -> nn.Linear:
    linear = nn.Linear(in_features, out_features)
    nn.init.normal_(linear.weight, std=std)
    nn.init.zeros_(linear.bias)
    return linear
