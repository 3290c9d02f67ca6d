"""Pack signs −1, 0 and 1 five per byte: 1.6 bits per sign, little more than the minimum of log₂ 3 = 1.585.

Signs are packed in groups of 1280, of which the last may be shorter. A group of m signs is split into 5 columns of
⌈m/5⌉ adjacent signs; zeros fill the last columns. A byte packs one sign of each column. For example, 10 signs s[0] to
s[9] have the columns s[0] s[1], s[2] s[3], and so on. The first byte is (1 + s[0]) + 3·(1 + s[2]) + 9·(1 + s[4]) +
27·(1 + s[6]) + 81·(1 + s[8]). In this layout every loop runs over adjacent elements, so that compilers vectorise it.
"""

from torch import Tensor

from liecbench.compressors.kernels import cpu
from liecbench.compressors.kernels.layout import COLUMNS


def packed_bytes(numel: int) -> int:
    """Return the number of bytes that ``numel`` packed signs take."""
    return -(-numel // COLUMNS)


def pack(signs: Tensor, packed: Tensor) -> None:
    """Pack signs five per byte, on the CPU.

    Args:
        signs: The signs, each −1, 0 or 1, int8 of shape ``[numel]``.
        packed: Receives the bytes, uint8 of shape ``[packed_bytes(numel)]``.
    """
    cpu.ternary.pack(signs.numpy(), packed.numpy())


def unpack(packed: Tensor, scale: float, out: Tensor, accumulate: bool) -> None:
    """Unpack signs into ``out``, each multiplied by ``scale``, on the CPU.

    Args:
        packed: Packed signs, uint8 of shape ``[packed_bytes(numel)]``.
        scale: The factor that multiplies every sign.
        out: Receives the products, float32 of shape ``[numel]``.
        accumulate: Whether to add to ``out`` instead of overwriting ``out``.
    """
    (cpu.ternary.unpack_add if accumulate else cpu.ternary.unpack)(packed.numpy(), scale, out.numpy())
