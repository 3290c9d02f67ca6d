"""The machine's own network interfaces: which one leads to another machine, and what it has carried."""

import fcntl
import socket
import struct
from pathlib import Path

_SIOCGIFADDR = 0x8915


def interface_towards(address: str) -> str:
    """The name of the interface whose address this machine shows to ``address``; OSError where there is no way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))  # sends nothing
        own = probe.getsockname()[0]
        for _, name in socket.if_nameindex():
            try:
                found = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("256s", name.encode()))
            except OSError:
                continue  # it has no address
            if socket.inet_ntoa(found[20:24]) == own:
                return name
    raise OSError(f"no interface has the address {own}")


def carried_bytes(interface: str) -> tuple[int, int]:
    """Bytes that it has sent and received since it is up."""
    lines = Path("/proc/self/net/dev").read_text().splitlines()[2:]
    fields = next(line.split(":")[1].split() for line in lines if line.split(":")[0].strip() == interface)
    return int(fields[8]), int(fields[0])
