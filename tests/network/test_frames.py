"""Large frames stand for segments: counted and split as a network card would. Built here by hand, from the RFCs."""

import struct

import pytest

from liecbench.network.frames import count_segments, split_at_lost

MSS = 1448
ADDRESSES = bytes([10, 0, 0, 1, 10, 0, 0, 2])
OPTIONS = bytes(range(12))
TCP_BYTES = 32
HEADERS = 14 + 20 + TCP_BYTES
SEQUENCE, IDENTIFICATION = 2**32 - 1000, 65535
PUSH_ACK = 0x18


def sum16(data: bytes) -> int:
    total = sum(data[i] << 8 | data[i + 1] for i in range(0, len(data), 2))
    return (total - 1) % 0xFFFF + 1 if total else 0


def large(payload: bytes, gso: int = MSS, kind: int = 1) -> bytes:
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + TCP_BYTES + len(payload), IDENTIFICATION, 0x4000, 64, 6, 0) + ADDRESSES
    tcp = struct.pack("!HHIIBBHHH", 5, 6, SEQUENCE, 7, TCP_BYTES << 2, PUSH_ACK, 500, 0, 0) + OPTIONS
    return struct.pack("=BBHHHH", 1, kind, HEADERS, gso, 34, 16) + bytes(12) + b"\x08\x00" + ip + tcp + payload


def payload_of(frame: bytes) -> bytes:
    return frame[10 + HEADERS :]


def test_segments_and_their_headers_are_counted() -> None:
    assert count_segments(large(bytes(100), gso=0, kind=0)) == (1, HEADERS + 100)
    assert count_segments(large(bytes(3 * MSS))) == (3, 3 * (HEADERS + MSS))
    assert count_segments(large(bytes(3 * MSS + 1))) == (4, 4 * HEADERS + 3 * MSS + 1)
    # With the flag of explicit congestion notification.
    assert count_segments(large(bytes(2 * MSS), kind=0x81)) == (2, 2 * (HEADERS + MSS))


@pytest.mark.parametrize("lost", [{0}, {2}, {4}, {1, 2}, {0, 2, 4}, {0, 1, 2, 3, 4}])
def test_only_lost_segments_are_missing(lost: set[int]) -> None:
    payload = bytes(i % 251 for i in range(4 * MSS + 77))
    pieces = split_at_lost(large(payload), lost)

    assert b"".join(payload_of(piece) for piece, _ in pieces) == payload
    segments = [gone for piece, gone in pieces for _ in range(count_segments(piece)[0])]
    assert {number for number, gone in enumerate(segments) if gone} == lost


def test_pieces_are_valid_packets() -> None:
    payload = bytes(i % 251 for i in range(4 * MSS + 77))
    offset = 0
    for piece, _ in split_at_lost(large(payload), {2}):
        flags, kind, _, gso, start, checksum = struct.unpack_from("=BBHHHH", piece)
        ip, tcp, size = piece[24:44], piece[44 : 44 + TCP_BYTES], len(payload_of(piece))
        assert (flags, start, checksum) == (1, 34, 16)
        assert (kind, gso) == ((1, MSS) if size > MSS else (0, 0))
        assert struct.unpack_from("!H", ip, 2) == (20 + TCP_BYTES + size,)
        assert struct.unpack_from("!H", ip, 4) == ((IDENTIFICATION + offset // MSS) % 2**16,)
        assert ip[6:10] == bytes([0x40, 0, 64, 6])
        assert sum16(ip) == 0xFFFF
        assert struct.unpack_from("!I", tcp, 4) == ((SEQUENCE + offset) % 2**32,)
        assert tcp[13] == (PUSH_ACK if offset + size == len(payload) else 0x10)
        # The kernel expects the sum of the pseudo-header here, and adds the rest.
        assert struct.unpack_from("!H", tcp, 16)[0] == sum16(ADDRESSES + struct.pack("!HH", 6, TCP_BYTES + size))
        assert tcp[20:] == OPTIONS
        offset += size


def test_other_frames_are_lost_as_a_whole() -> None:
    small, udp = large(bytes(100), gso=0, kind=0), large(bytes(5000), kind=5)

    assert split_at_lost(small, {0}) == [(small, True)]
    assert split_at_lost(udp, {1}) == [(udp, True)]
