"""Numbers of entries that messages are divided by; kernels of all devices use the same."""

from typing import Final

BUCKET: Final = 512  # entries of a bucket of QSGD, which has a norm of its own
COLUMNS: Final = 5  # signs in a byte; codecs/ternary.py describes groups and columns
GROUP: Final = 1280  # signs of a group
