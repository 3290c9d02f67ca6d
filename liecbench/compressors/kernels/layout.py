"""The sizes of the parts into which messages are divided, and other constants that the kernels of all devices share."""

from typing import Final

BUCKET: Final = 512  # entries per bucket of QSGD; each bucket has its own norm
COLUMNS: Final = 5  # signs per byte; codecs/ternary.py describes groups and columns
GROUP: Final = 1280  # signs per group
# The smallest float32 above 0: a scale that rounds to 0 would lose the whole vector.
SMALLEST_SCALE: Final = 2.0**-149
