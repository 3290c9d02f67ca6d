"""Lists in sentences, such as ``a, b or c``; of long ones the first items and the number of the others."""

from collections.abc import Sequence
from typing import Final, Literal

_MAX_NAMED: Final = 4


def shortened(items: Sequence[str], word: Literal["and", "or"] = "and") -> str:
    """Return the first four items and the number of the others, such as ``a, b, c, d and 2 more``."""
    more = [f"{len(items) - _MAX_NAMED} more"] if len(items) > _MAX_NAMED else []
    return listed([*items[:_MAX_NAMED], *more], word)


def listed(items: Sequence[str], word: Literal["and", "or"] = "and") -> str:
    """Return items as ``a``, ``a and b`` or ``a, b and c``."""
    return f" {word} ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)
