"""Turn off garbage collection for commands that build many objects at once and end soon afterwards."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collections() -> Iterator[None]:
    """Turn garbage collection off during the block, because looking for reference cycles would take time."""
    # Results have no reference cycles, so little memory stays unfreed. Looking for cycles took a sixth of the time.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
