"""GPU kernels that encode and decode positions give the bits of the CPU kernels."""

import numpy as np
import pytest
import torch

from liecbench.compressors.codecs.elias_fano import PositionCode
from tests.compressors.combinations import spread
from tests.compressors.kernels.triton.places import Place, places
from tests.compressors.vectors import normal

elias_fano = pytest.importorskip("liecbench.compressors.kernels.triton.elias_fano", exc_type=ImportError)
WIDTHS = [None, 0, 1, 8, 13]


@places
@pytest.mark.parametrize(("width", "kept", "numel"), spread(WIDTHS, [1, 9, 2500], [3000, 2**16], one_in=2))
def test_bits_and_sums_of_every_code(place: Place, width: int | None, kept: int, numel: int) -> None:
    code = PositionCode(numel, kept, width or 0, int(width is not None))
    positions = np.sort(np.random.default_rng(kept).choice(numel, kept, replace=False))
    packed = np.zeros(code.nbytes, np.uint8)
    code.encode(positions, 0, packed)
    entries, out = normal(kept), normal(numel)
    there, added = place.put(torch.full((code.nbytes,), 255, dtype=torch.uint8)), place.put(out)

    elias_fano.encode_positions(code, place.put(torch.from_numpy(positions)), there)
    elias_fano.add_at_positions(code, there, place.put(entries), 1 / 3, added)

    code.add_at(packed, entries.numpy(), 1 / 3, out.numpy())
    assert there.cpu().numpy().tobytes() == packed.tobytes()
    assert added.cpu().numpy().tobytes() == out.numpy().tobytes()


@places
def test_positions_of_a_long_vector_do_not_overflow(place: Place) -> None:
    code = PositionCode.shortest(2**33, 7)
    positions = np.sort(np.random.default_rng(0).choice(2**33, 7, replace=False))
    packed = np.zeros(code.nbytes, np.uint8)
    code.encode(positions, 0, packed)
    there = place.put(torch.zeros(code.nbytes, dtype=torch.uint8))

    elias_fano.encode_positions(code, place.put(torch.from_numpy(positions)), there)

    assert there.cpu().numpy().tobytes() == packed.tobytes()
