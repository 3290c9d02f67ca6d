"""Permanent ARP entries for all hosts of a launch's network, so that no host asks for hardware addresses by ARP.

Without permanent entries, ARP messages would count as traffic. With 32 workers, the kernel's ARP table would also
overflow: each host needs an entry for every other host, and the table holds 1024 entries for all hosts together.
Permanent entries do not count towards this limit.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

# The numbers of linux/netlink.h, linux/rtnetlink.h and linux/neighbour.h.
_NLMSG_ERROR, _RTM_NEWNEIGH, _NETLINK_ROUTE = 2, 28, 0
_REQUEST, _ACKNOWLEDGE, _REPLACE, _CREATE = 0x1, 0x4, 0x100, 0x400
_PERMANENT, _ADDRESS, _HARDWARE_ADDRESS = 0x80, 1, 2
_HEADER: Final = struct.Struct("=IHHII")  # length, type, flags, number, sender
_ENTRY: Final = struct.Struct("=BxxxiHBB")  # address family, interface, state, flags, type
_ERROR: Final = struct.Struct("=i")
# The attributes: an IPv4 address of 4 bytes, and a hardware address of 6 bytes with 2 bytes of padding.
_ATTRIBUTES: Final = struct.Struct("=HH4sHH6sxx")
_MESSAGE_BYTES: Final = _HEADER.size + _ENTRY.size + _ATTRIBUTES.size
_LARGEST_BATCH: Final = 1000


def add_neighbours(interface: str, neighbours: Iterable[tuple[str, str]]) -> None:
    """Add permanent entries to the ARP table of an interface in the network namespace of the calling thread.

    Args:
        interface: The interface's name.
        neighbours: The IP address and the hardware address of each neighbour, as text.

    Raises:
        OSError: If the kernel refuses.
    """
    index, left = socket.if_nametoindex(interface), iter(neighbours)
    # Batches take milliseconds; pyroute2 would take seconds for 64 workers.
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_ROUTE) as route:
        route.bind((0, 0))
        while batch := list(islice(left, _LARGEST_BATCH)):
            route.send(b"".join(_messages(index, batch)))
            _await_last(route, len(batch))


def _messages(index: int, batch: list[tuple[str, str]]) -> Iterator[bytes]:
    """Yield a netlink request per pair (IP address, hardware address) of ``batch``, to add the pair to the ARP table.

    The table is that of the interface with the index ``index``. The kernel answers the last request in any case, and
    the other requests only if it refuses them.
    """
    entry = _ENTRY.pack(socket.AF_INET, index, _PERMANENT, 0, 0)
    for number, (address, hardware_address) in enumerate(batch, start=1):
        flags = _REQUEST | _CREATE | _REPLACE | (_ACKNOWLEDGE if number == len(batch) else 0)
        hardware = bytes.fromhex(hardware_address.replace(":", ""))
        attributes = _ATTRIBUTES.pack(8, _ADDRESS, socket.inet_aton(address), 10, _HARDWARE_ADDRESS, hardware)
        yield _HEADER.pack(_MESSAGE_BYTES, _RTM_NEWNEIGH, flags, number, 0) + entry + attributes


def _await_last(route: socket.socket, last: int) -> None:
    while True:
        answers = route.recv(2**16)
        while answers:
            length, kind, _, number, _ = _HEADER.unpack_from(answers)
            if kind != _NLMSG_ERROR:
                raise OSError(errno.EPROTO, f"an answer of type {kind} to a request for neighbours")
            (error,) = _ERROR.unpack_from(answers, _HEADER.size)
            if error:
                raise OSError(-error, os.strerror(-error))
            if number == last:
                return
            answers = answers[length:]
