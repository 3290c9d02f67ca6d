"""Quantize values to 2-bit codes, and compute a codebook: the number that each of the four codes stands for.

The code of a value v is 2 · (v ≥ 0) + (|v| > s), where s is the mean magnitude of all values. A code stands for the
mean of the values that have the code. Codes are packed four per byte, the first in the lowest bits.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

BITS = 2
CODEBOOK_BYTES = 4 * 4
_CODES = 4
_LARGEST = torch.finfo(torch.float32).max


def packed_bytes(count: int) -> int:
    """Return the number of bytes that ``count`` packed codes take."""
    return (count + 3) // 4


def quantize(
    values: Tensor, codebook: Tensor, packed: Tensor, write_mean_magnitude: Callable[[Tensor, Tensor], None]
) -> Tensor:
    """Quantize values, on any device, and return the values that a receiver gets.

    Args:
        values: The values, float32 of shape ``[count]``.
        codebook: Receives the codebook, float32 of shape [4]: NaN if any value is not finite, 0 for an unused code.
        packed: Receives the codes, uint8 of shape ``[packed_bytes(count)]``.
        write_mean_magnitude: Writes the mean magnitude of its first argument to its second, float32 of shape [1].

    Returns:
        The codebook's value for each of ``values``, float32 of shape ``[count]``.
    """
    # A row of 16 bytes for each number, because a kernel is compiled anew for an address that is no multiple of 16.
    means = torch.empty(1 + _CODES, 4, device=values.device)
    spread = means[0, :1]
    write_mean_magnitude(values, spread)
    codes = (values >= 0).to(torch.uint8) << 1 | (values.abs() > spread)
    counts = torch.empty(_CODES, dtype=torch.float64, device=values.device)
    for code in range(_CODES):
        has_code = codes == code
        # A code's values have one sign, so that their sum is the sum of their magnitudes, times this sign.
        write_mean_magnitude(torch.where(has_code, values, 0.0), means[1 + code, :1])
        counts[code] = has_code.sum()
    magnitudes = means[1:, 0].to(torch.float64) * values.numel() / counts.clamp(min=1)
    magnitudes[:2].neg_()
    codebook.copy_(torch.where(spread.isfinite(), magnitudes.clamp(-_LARGEST, _LARGEST), torch.nan))
    quads = pad(codes, (0, -codes.numel() % 4)).view(-1, 4)
    packed.copy_(quads[:, 0] | quads[:, 1] << 2 | quads[:, 2] << 4 | quads[:, 3] << 6)
    return codebook.index_select(0, codes.to(torch.int32))


def unpack(packed: Tensor, count: int) -> Tensor:
    """Return the ``count`` codes that ``quantize`` packed, int32 of shape ``[count]``."""
    quads = packed.to(torch.int32)
    return torch.stack([quads >> shift & 3 for shift in (0, 2, 4, 6)], dim=1).view(-1)[:count]
