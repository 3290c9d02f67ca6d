import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from liecbench.compressors.codecs.elias_fano import PositionCode


@st.composite
def codes(draw: st.DrawFn) -> tuple[PositionCode, NDArray[np.int64]]:
    """Draw a code, the shortest or another, and positions of any density up to those of long vectors."""
    numel = draw(st.one_of(st.integers(1, 500), st.integers(1, 2**20)))
    kept = draw(st.integers(1, min(numel, 3000)))
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    positions = np.sort(random.choice(numel, kept, replace=False))
    if draw(st.booleans()):
        return PositionCode.shortest(numel, kept), positions
    width = draw(st.integers(0, numel.bit_length() - 1))
    return PositionCode(numel, kept, width, draw(st.integers(0, 1)) if width == 0 else 1), positions


def encoded(code: PositionCode, positions: NDArray[np.int64], split: int = 0) -> NDArray[np.uint8]:
    packed = np.zeros(code.nbytes, np.uint8)
    for first, part in ((0, positions[:split]), (split, positions[split:])):
        code.encode(part, first, packed)
    return packed


@given(codes())
def test_entries_are_added_at_their_positions(case: tuple[PositionCode, NDArray[np.int64]]) -> None:
    code, positions = case
    entries = np.arange(1, positions.size + 1, dtype=np.float32)
    out = np.ones(code.numel, np.float32)
    expected = out.copy()
    expected[positions] += entries * 2

    code.add_at(encoded(code, positions), entries, 2.0, out)

    assert out.tobytes() == expected.tobytes()


@given(codes(), st.integers(0, 3000))
def test_positions_can_be_encoded_in_pieces(case: tuple[PositionCode, NDArray[np.int64]], split: int) -> None:
    code, positions = case

    assert encoded(code, positions, split).tobytes() == encoded(code, positions).tobytes()


@given(codes())
def test_bits_are_those_of_elias_fano_code_or_of_a_bitmap(case: tuple[PositionCode, NDArray[np.int64]]) -> None:
    code, positions = case
    packed = np.unpackbits(encoded(code, positions), bitorder="little")
    low = (code.width * code.num_positions + 7) // 8 * 8

    ones = np.flatnonzero(packed[low:])
    below = packed[: code.width * code.num_positions].reshape(code.num_positions, code.width)

    expected = (positions >> code.width) + code.spacing * np.arange(code.num_positions)
    assert ones.tolist() == expected.tolist()
    assert (below << np.arange(code.width)).sum(1).tolist() == (positions % 2**code.width).tolist()


@pytest.mark.parametrize(
    ("numel", "kept", "bits"), [(11_171_146, 111_712, 8.57), (11_171_146, 11_172, 11.95), (10**6, 500_000, 2.0)]
)
def test_bits_per_position(numel: int, kept: int, bits: float) -> None:
    assert PositionCode.shortest(numel, kept).nbytes * 8 / kept < bits + 0.01


@given(st.integers(1, 10**7), st.floats(1e-6, 1))
def test_positions_take_at_most_two_bits_more_than_needed_or_a_bitmap(numel: int, ratio: float) -> None:
    kept = max(1, int(ratio * numel))

    nbytes = PositionCode.shortest(numel, kept).nbytes

    assert nbytes <= (numel + 7) // 8
    assert nbytes * 8 <= kept * (2 + np.log2(numel / kept)) + 16
