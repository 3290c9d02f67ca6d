"""Find the network interface that leads to another machine, and read the byte counters of an interface."""

import socket

import psutil


def interface_towards(address: str) -> str:
    """Return the name of the network interface through which this machine reaches the IPv4 address ``address``.

    Raises:
        OSError: If no route or no interface leads to ``address``.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))  # sends nothing
        own = probe.getsockname()[0]
    for name, addresses in psutil.net_if_addrs().items():
        if any(found.family == socket.AF_INET and found.address == own for found in addresses):
            return name
    raise OSError(f"no network interface has the address {own}")


def carried_bytes(interface: str) -> tuple[int, int]:
    """Return the bytes (sent, received) that the kernel has counted on this network interface so far."""
    # By default, psutil corrects counters that were reset. With nowrap=False, it returns the kernel's counters as is.
    counters = psutil.net_io_counters(pernic=True, nowrap=False)[interface]
    return counters.bytes_sent, counters.bytes_recv
