import math

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from liecbench.compressors.codecs import ternary

lengths = st.integers(1, 5000)


def random_signs(numel: int) -> NDArray[np.int8]:
    return np.random.default_rng(numel).integers(-1, 2, numel, dtype=np.int8)


def packed(signs: NDArray[np.int8]) -> torch.Tensor:
    result = torch.empty(ternary.packed_bytes(signs.size), dtype=torch.uint8)
    ternary.pack(torch.from_numpy(signs), result)
    return result


def unpacked_by_division(packed: NDArray[np.uint8], numel: int) -> NDArray[np.int64]:
    groups = []
    for start in range(0, numel, 1280):
        columns = -(-min(1280, numel - start) // 5)
        bytes_ = packed[start // 5 : start // 5 + columns].astype(np.int64)
        groups.append(np.concatenate([bytes_ // 3**power % 3 - 1 for power in range(5)])[: numel - start])
    return np.concatenate(groups)


@given(lengths)
def test_packed_signs_are_digits_of_base_3(numel: int) -> None:
    signs = random_signs(numel)

    assert unpacked_by_division(packed(signs).numpy(), numel).tolist() == signs.tolist()


@given(lengths)
def test_unpacking_gives_back_the_signs(numel: int) -> None:
    signs = random_signs(numel)
    written, added = torch.empty(numel), torch.ones(numel)

    ternary.unpack(packed(signs), 0.5, written, accumulate=False)
    ternary.unpack(packed(signs), 0.5, added, accumulate=True)

    assert written.tolist() == (signs * 0.5).tolist()
    assert added.tolist() == (1 + signs * 0.5).tolist()


def test_five_signs_take_a_byte() -> None:
    assert [ternary.packed_bytes(numel) for numel in (1, 5, 6, 1280)] == [1, 1, 2, 256]
    assert math.isclose(ternary.packed_bytes(11_171_146) * 8 / 11_171_146, 1.6, abs_tol=1e-5)
