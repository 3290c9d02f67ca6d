"""The machine's network interfaces: find the one towards another machine, and read an interface's byte counters."""

import socket

import psutil


def interface_towards(address: str) -> str:
    """Return the name of the interface through which this machine reaches ``address``.

    Raises:
        OSError: If there is no route.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))  # sends nothing
        own = probe.getsockname()[0]
    for name, addresses in psutil.net_if_addrs().items():
        if any(found.family == socket.AF_INET and found.address == own for found in addresses):
            return name
    raise OSError(f"no network interface has the address {own}")


def carried_bytes(interface: str) -> tuple[int, int]:
    """Return the bytes (sent, received) that the kernel has counted on ``interface``."""
    # By default psutil adds the counts before a counter's reset; nowrap=False returns the kernel's count unchanged.
    counters = psutil.net_io_counters(pernic=True, nowrap=False)[interface]
    return counters.bytes_sent, counters.bytes_recv
