"""The machine's network interfaces: the one towards another machine, and its byte counters."""

import fcntl
import socket
import struct
from pathlib import Path

_SIOCGIFADDR = 0x8915


def interface_towards(address: str) -> str:
    """Return the name of the interface through which this machine reaches ``address``.

    Raises:
        OSError: If there is no route.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))  # sends nothing
        own = probe.getsockname()[0]
        for _, name in socket.if_nameindex():
            try:
                found = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("256s", name.encode()))
            except OSError:
                continue  # the interface has no address
            if socket.inet_ntoa(found[20:24]) == own:
                return name
    raise OSError(f"no network interface has the address {own}")


def carried_bytes(interface: str) -> tuple[int, int]:
    """Return the bytes that ``interface`` has sent and received since it is up."""
    lines = Path("/proc/self/net/dev").read_text().splitlines()[2:]
    fields = next(line.split(":")[1].split() for line in lines if line.split(":")[0].strip() == interface)
    return int(fields[8]), int(fields[0])
