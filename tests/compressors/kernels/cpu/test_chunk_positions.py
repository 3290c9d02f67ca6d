import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from liecbench.compressors.codecs import chunk_positions
from liecbench.compressors.kernels import cpu


@given(st.data())
@settings(max_examples=30)
def test_positions_are_packed_and_unpacked_as_the_codec_does(data: st.DataObject) -> None:
    chunk = data.draw(st.integers(2, 4096))
    kept = data.draw(st.integers(1, min(chunk - 1, 80)))
    num_chunks, num_whole = data.draw(st.integers(1, 5)), data.draw(st.integers(0, kept))
    drawn = torch.Generator().manual_seed(data.draw(st.integers(0, 1000)))
    places = [torch.randperm(chunk, generator=drawn)[:kept].sort().values + n * chunk for n in range(num_chunks)]
    indexed = torch.cat(places)
    # A last chunk that is shorter than ``kept`` keeps all its entries, and sends no positions.
    positions = torch.cat([indexed, num_chunks * chunk + torch.arange(num_whole)])
    sizes = (indexed.numel(), positions.numel(), chunk, kept)
    packed = torch.full((chunk_positions.packed_bytes(indexed.numel()),), 255, dtype=torch.uint8)
    expected = torch.full_like(packed, 255)

    cpu.chunk_positions.pack(indexed.numpy(), chunk, kept, packed.numpy())
    chunk_positions.pack(indexed, chunk, expected)

    assert torch.equal(packed, expected)
    assert torch.equal(torch.from_numpy(cpu.chunk_positions.unpack(packed.numpy(), *sizes)), positions)
    assert torch.equal(chunk_positions.unpack(packed, *sizes), positions)
