"""The default vector size and the time limit of ``liecbench bench exchange``, to whose results costs are fitted."""

from typing import Final

# The elements of ResNet-18.
DEFAULT_SIZE: Final = 11_171_146
# A step that sends uncompressed vectors is skipped if sending its payload alone takes longer than this.
MOST_DENSE_SECONDS: Final = 2.0
