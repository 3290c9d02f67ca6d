"""Count the segments of a large Ethernet frame that a packet socket has read, and split the frame.

With segmentation offload, TCP builds Ethernet frames that are larger than the MTU, and the network card cuts each frame
into segments. A packet socket with ``PACKET_VNET_HDR`` reads the large frames uncut. The socket puts a header of 10
bytes before each Ethernet frame (``struct virtio_net_hdr`` of linux/virtio_net.h). The header's ``gso_size`` is the
number of payload bytes per segment. In this module, a *frame* is these 10 bytes followed by the Ethernet frame.
"""

import struct
from collections.abc import Collection
from itertools import groupby
from typing import Final

VNET_BYTES: Final = 10
# A segment of TCP with all headers, for an MTU of 1500 bytes.
FRAME_BYTES: Final = 1514
# flags, gso_type, hdr_len, gso_size, csum_start and csum_offset. Offsets count from the start of the Ethernet frame.
_VNET: Final = struct.Struct("=BBHHHH")
_NEEDS_CHECKSUM, _TCP_IPV4, _TCP_IPV6, _ECN = 1, 1, 4, 0x80
_IP_HEADER, _IPV6_HEADER_BYTES, _UDP_HEADER_BYTES = 14, 40, 8
_TCP_CHECKSUM: Final = 16
_FIN, _PUSH, _CWR = 0x01, 0x08, 0x80


def count_segments(frame: bytes) -> tuple[int, int]:
    """Return the number of segments into which the network card cuts ``frame``, and the segments' total bytes.

    Each segment is an Ethernet frame with headers of its own. The total includes these headers, but no header of the
    packet socket, preamble, frame checksum or padding. A frame that is not cut counts as one segment.
    """
    size = len(frame) - VNET_BYTES
    kind, segment_bytes = frame[1] & ~_ECN, frame[4] | frame[5] << 8
    if not kind or not segment_bytes:
        return 1, size
    headers = _header_bytes(frame, kind)
    segments = max(1, -(-(size - headers) // segment_bytes))
    return segments, size + (segments - 1) * headers


def _transport(frame: bytes, kind: int) -> int:
    """Return the offset of the TCP or UDP header, in bytes from the start of the Ethernet header.

    The Ethernet header follows the packet socket's header, which is the first ``VNET_BYTES`` bytes of ``frame``.
    ``kind`` is the ``gso_type`` in the packet socket's header, without the bit ``_ECN``.
    """
    ip_bytes = _IPV6_HEADER_BYTES if kind == _TCP_IPV6 else 4 * (frame[VNET_BYTES + _IP_HEADER] & 0xF)
    return _IP_HEADER + ip_bytes


def _header_bytes(frame: bytes, kind: int) -> int:
    transport = _transport(frame, kind)
    if kind not in (_TCP_IPV4, _TCP_IPV6):
        return transport + _UDP_HEADER_BYTES
    return transport + 4 * (frame[VNET_BYTES + transport + 12] >> 4)


def split_at_lost(frame: bytes, lost: Collection[int]) -> list[tuple[bytes, bool]]:
    """Return ``frame`` in pieces, each of which is lost or arrives as a whole.

    Only TCP over IPv4 is split. Any other frame is lost as one piece.

    Args:
        frame: A frame of one or more segments.
        lost: The numbers of its lost segments, from 0; not empty.

    Returns:
        (piece, True if it is lost), in order.
    """
    segments, _ = count_segments(frame)
    if segments == 1 or frame[1] & ~_ECN != _TCP_IPV4:
        return [(frame, True)]
    pieces = []
    for gone, run in groupby(range(segments), lambda number: number in lost):
        numbers = list(run)
        pieces.append((_piece(frame, numbers, is_last=numbers[-1] == segments - 1), gone))
    return pieces


def _piece(frame: bytes, numbers: list[int], *, is_last: bool) -> bytes:
    """Return a frame that contains only the given segments of ``frame``.

    Args:
        frame: A frame of TCP over IPv4 with two or more segments.
        numbers: The numbers of the segments, counted from 0: consecutive, in ascending order.
        is_last: True if ``numbers`` includes the last segment of ``frame``.
    """
    flags, kind, _, segment_bytes, _, _ = _VNET.unpack_from(frame)
    transport, headers = _transport(frame, _TCP_IPV4), _header_bytes(frame, _TCP_IPV4)
    skipped = numbers[0] * segment_bytes
    start = VNET_BYTES + headers + skipped
    payload = frame[start:] if is_last else frame[start : start + len(numbers) * segment_bytes]
    header = bytearray(frame[VNET_BYTES : VNET_BYTES + headers])
    _rewrite_ip(header, transport, len(payload), numbers[0])
    _rewrite_tcp(header, transport, len(payload), skipped, is_last=is_last)
    offload = (kind, headers, segment_bytes) if len(payload) > segment_bytes else (0, 0, 0)
    vnet = _VNET.pack(flags | _NEEDS_CHECKSUM, *offload, transport, _TCP_CHECKSUM)
    return b"".join((vnet, header, payload))


def _rewrite_ip(header: bytearray, transport: int, payload_bytes: int, number: int) -> None:
    struct.pack_into("!H", header, _IP_HEADER + 2, len(header) - _IP_HEADER + payload_bytes)
    (identification,) = struct.unpack_from("!H", header, _IP_HEADER + 4)
    struct.pack_into("!H", header, _IP_HEADER + 4, (identification + number) % 2**16)
    struct.pack_into("!H", header, _IP_HEADER + 10, 0)
    struct.pack_into("!H", header, _IP_HEADER + 10, 0xFFFF ^ _ones_sum(header[_IP_HEADER:transport]))


def _rewrite_tcp(header: bytearray, transport: int, payload_bytes: int, skipped: int, *, is_last: bool) -> None:
    (sequence,) = struct.unpack_from("!I", header, transport + 4)
    struct.pack_into("!I", header, transport + 4, (sequence + skipped) % 2**32)
    if not is_last:
        header[transport + 13] &= ~(_FIN | _PUSH)
    if skipped:
        header[transport + 13] &= ~_CWR
    # The kernel completes the checksum. Until then the field has the sum of the pseudo-header.
    pseudo = header[_IP_HEADER + 12 : _IP_HEADER + 20] + struct.pack("!HH", 6, len(header) - transport + payload_bytes)
    struct.pack_into("!H", header, transport + _TCP_CHECKSUM, _ones_sum(pseudo))


def _ones_sum(data: bytes | bytearray) -> int:
    """Return the one's complement sum of 16-bit words, as IP's checksums use it."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total
