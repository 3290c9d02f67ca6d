"""The sizes of the parts into which messages are divided. The kernels of all devices use the same sizes."""

from typing import Final

BUCKET: Final = 512  # entries per bucket of QSGD; each bucket has its own norm
COLUMNS: Final = 5  # signs per byte; codecs/ternary.py describes groups and columns
GROUP: Final = 1280  # signs per group
