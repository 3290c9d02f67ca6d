import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from liecbench.compressors.codecs.elias_fano import Coding


@st.composite
def codings(draw: st.DrawFn) -> tuple[Coding, NDArray[np.int64]]:
    """A code, best or not, and positions of every density up to those of long vectors."""
    numel = draw(st.one_of(st.integers(1, 500), st.integers(1, 2**20)))
    kept = draw(st.integers(1, min(numel, 3000)))
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    positions = np.sort(random.choice(numel, kept, replace=False))
    if draw(st.booleans()):
        return Coding.shortest(numel, kept), positions
    width = draw(st.integers(0, numel.bit_length() - 1))
    return Coding(numel, kept, width, draw(st.integers(0, 1)) if width == 0 else 1), positions


def write(coding: Coding, positions: NDArray[np.int64], split: int = 0) -> NDArray[np.uint8]:
    packed = np.zeros(coding.nbytes, np.uint8)
    for first, part in ((0, positions[:split]), (split, positions[split:])):
        coding.encode(part, first, packed)
    return packed


@given(codings())
def test_entries_come_back_where_they_were(case: tuple[Coding, NDArray[np.int64]]) -> None:
    coding, positions = case
    entries = np.arange(1, positions.size + 1, dtype=np.float32)
    out = np.ones(coding.numel, np.float32)
    expected = out.copy()
    expected[positions] += entries * 2

    coding.add_at(write(coding, positions), entries, 2.0, out)

    assert out.tobytes() == expected.tobytes()


@given(codings(), st.integers(0, 3000))
def test_positions_may_come_in_pieces(case: tuple[Coding, NDArray[np.int64]], split: int) -> None:
    coding, positions = case

    assert write(coding, positions, split).tobytes() == write(coding, positions).tobytes()


@given(codings())
def test_the_code_is_elias_and_fanos_or_a_bitmap(case: tuple[Coding, NDArray[np.int64]]) -> None:
    coding, positions = case
    packed = np.unpackbits(write(coding, positions), bitorder="little")
    low = (coding.width * coding.kept + 7) // 8 * 8

    ones = np.flatnonzero(packed[low:])
    below = packed[: coding.width * coding.kept].reshape(coding.kept, coding.width)

    expected = (positions >> coding.width) + coding.step * np.arange(coding.kept)
    assert ones.tolist() == expected.tolist()
    assert (below << np.arange(coding.width)).sum(1).tolist() == (positions % 2**coding.width).tolist()


@pytest.mark.parametrize(
    ("numel", "kept", "bits"), [(11_171_146, 111_712, 8.57), (11_171_146, 11_172, 11.95), (10**6, 500_000, 2.0)]
)
def test_bits_a_position(numel: int, kept: int, bits: float) -> None:
    assert Coding.shortest(numel, kept).nbytes * 8 / kept < bits + 0.01


@given(st.integers(1, 10**7), st.floats(1e-6, 1))
def test_never_longer_than_two_bits_more_than_needed_nor_than_a_bitmap(numel: int, ratio: float) -> None:
    kept = max(1, int(ratio * numel))

    nbytes = Coding.shortest(numel, kept).nbytes

    assert nbytes <= (numel + 7) // 8
    assert nbytes * 8 <= kept * (2 + np.log2(numel / kept)) + 16
