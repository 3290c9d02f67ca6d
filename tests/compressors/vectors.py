"""Vectors to compress in tests."""

import torch
from hypothesis import strategies as st

SCALES = [1e-40, 1e-20, 1.0, 1e20]


def normal(numel: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(numel, generator=torch.Generator().manual_seed(seed))


@st.composite
def vectors(draw: st.DrawFn, most: int = 200) -> torch.Tensor:
    """Draw a vector of any length up to ``most``, with zeros and ties or without, of denormal to huge magnitudes."""
    vector = normal(draw(st.integers(1, most)), draw(st.integers(0, 2**31)))
    if draw(st.booleans()):
        vector = vector.round()
    return vector * draw(st.sampled_from(SCALES))
