"""Access to payloads that begin with a scale, which is one float32."""

import math

import torch
from torch import Tensor

SCALE_BYTES = 4


def scale_of(payload: Tensor) -> Tensor:
    """Return a view of a payload's scale, float32 of shape [1]."""
    return payload[:SCALE_BYTES].view(torch.float32)


def body_of(payload: Tensor) -> Tensor:
    """Return a view of the bytes that follow a payload's scale."""
    return payload[SCALE_BYTES:]


def scale_is_finite(payload: Tensor) -> Tensor:
    """Return whether the scale of a payload on the CPU is finite, as a boolean tensor of shape []."""
    return torch.tensor(math.isfinite(scale_of(payload).item()))
