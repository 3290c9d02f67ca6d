"""The default size and a limit of ``liecbench bench exchange``. Fits to its results depend on both."""

from typing import Final

# The elements of ResNet-18.
DEFAULT_SIZE: Final = 11_171_146
# A step that sends uncompressed vectors is skipped if sending its payload alone takes longer than this.
MOST_DENSE_SECONDS: Final = 2.0
