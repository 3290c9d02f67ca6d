"""Recognize cells that train a language model, and convert a test loss to perplexity.

Language models are judged by their test loss instead of their accuracy.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

# Records of earlier versions do not count tokens, but they name the dataset.
_DATASETS: Final = frozenset({"text"})
_MAX_LOSS: Final = 700.0  # e to the power of more is not a finite number


def is_language_model(spec: Mapping[str, Any], tokens: Sequence[int | None]) -> bool:
    """Return True if a cell trains a language model.

    Args:
        spec: The cell's spec.
        tokens: The number of tokens of each of the cell's epochs, or None if the epoch's record has no number.
    """
    dataset = spec["task"].get("dataset") or {}
    return dataset.get("name") in _DATASETS or tokens.count(None) < len(tokens)


def to_perplexity(test_loss: float) -> float:
    """Return e to the power of a test loss in nats; at most e to the power of 700, which is still finite."""
    return math.exp(min(test_loss, _MAX_LOSS))
