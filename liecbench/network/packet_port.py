"""A packet socket on one network interface: read the frames that arrive there, and send frames out of it.

The kernel writes the frames that arrive, each with its time of arrival, to a ring in memory, which the socket
option ``PACKET_RX_RING`` of linux/if_packet.h creates.
"""

import ctypes
import mmap
import socket
import struct
import time
from collections.abc import Iterator
from typing import Final

from liecbench.network.frames import VNET_BYTES

_SOL_PACKET, _ALL_PROTOCOLS = 263, 3
_RX_RING, _STATISTICS, _VERSION, _VNET_HEADER, _IGNORE_OUTGOING = 5, 6, 10, 15, 23
_TPACKET_V2: Final = 1
# struct tpacket2_hdr: status, length, captured length, offsets of the frame and of its payload, seconds, nanoseconds.
_SLOT_HEADER: Final = struct.Struct("=IIIHHII")
_STATUS: Final = struct.Struct("=I")
# struct tpacket_stats: frames, and frames that found no free slot, both since the last reading.
_COUNTS: Final = struct.Struct("=II")
_OF_USER: Final = 1
# Larger than any frame, see ``hub.LARGEST_PACKET_BYTES``.
_SLOT_BYTES: Final = 2**15
_ATTACH_FILTER, _DETACH_FILTER = 26, 27


class PacketPort:
    """A packet socket on the interface ``name`` of the current network namespace.

    Frames have the form that the module ``liecbench.network.frames`` describes.

    Args:
        name: Name of the interface.
        num_slots: Number of frames that the receive buffer holds until they are read. Further frames are dropped.

    Raises:
        OSError: If the kernel has no packet sockets, or lacks one of their options.
    """

    def __init__(self, name: str, num_slots: int) -> None:
        self._num_slots, self._next, self._dropped = num_slots, 0, 0
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            for option, value in ((_VERSION, _TPACKET_V2), (_VNET_HEADER, 1), (_IGNORE_OUTGOING, 1)):
                self._socket.setsockopt(_SOL_PACKET, option, value)
            # A ring, because an ordinary user cannot give a socket a receive buffer large enough for a busy machine.
            ring = struct.pack("IIII", _SLOT_BYTES, num_slots, _SLOT_BYTES, num_slots)
            self._socket.setsockopt(_SOL_PACKET, _RX_RING, ring)
            self._ring = mmap.mmap(self._socket.fileno(), num_slots * _SLOT_BYTES)
            self._socket.setblocking(False)
            self._socket.bind((name, _ALL_PROTOCOLS))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the socket's file descriptor, which is readable when frames have arrived."""
        return self._socket.fileno()

    def read(self) -> Iterator[tuple[float, bytes]]:
        """Yield (time of arrival, frame) for each frame in the receive buffer, and remove the frame from the buffer.

        Do not wait for frames. Stop after ``num_slots`` frames, even if more frames arrive meanwhile. Times are those
        of ``time.monotonic``, in seconds.
        """
        ring, monotonic = self._ring, time.monotonic() - time.time()
        for _ in range(self._num_slots):
            start = self._next * _SLOT_BYTES
            status, length, captured, frame, _, seconds, nanoseconds = _SLOT_HEADER.unpack_from(ring, start)
            if not status & _OF_USER:
                return
            begin = start + frame
            data = ring[begin - VNET_BYTES : begin + captured]
            _STATUS.pack_into(ring, start, 0)
            self._next = (self._next + 1) % self._num_slots
            if captured == length:
                yield seconds + nanoseconds * 1e-9 + monotonic, data
            else:
                self._dropped += 1

    def send(self, frame: bytes) -> None:
        """Send a frame out of the interface. The frame is dropped if the kernel has no memory for it."""
        try:
            self._socket.send(frame)
        except OSError:
            self._dropped += 1

    def dropped(self) -> int:
        """Return how many frames were dropped so far.

        These are frames that arrived while the ring buffer was full, that were larger than one of its slots, or that
        could not be sent.
        """
        counts = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, _COUNTS.size)
        self._dropped += _COUNTS.unpack(counts)[1]
        return self._dropped

    def pause(self) -> None:
        """Ignore all frames until ``resume`` is called."""
        instruction = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0), 8)  # BPF: return 0
        program = struct.pack("HP", 1, ctypes.addressof(instruction))
        self._socket.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)

    def resume(self) -> None:
        """Receive frames again after ``pause``. Frames that arrived earlier and were not read are dropped."""
        for _ in self.read():
            pass
        self._socket.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)
