"""The sizes and the time limit of ``liecbench bench exchange``, to whose results costs are fitted."""

from typing import Final

# The elements of ResNet-18.
DEFAULT_SIZE: Final = 11_171_146
# The bytes of the blocks in which longer vectors are sent.
LARGEST_BLOCK: Final = 25 * 2**20
# A step that sends uncompressed vectors is skipped if sending its payload alone takes longer than this.
MOST_DENSE_SECONDS: Final = 2.0
